"""What a pass from layer k on does not run leaves the accelerator: the layers below, and untied embeddings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from semalign.models.architecture import Architecture
from semalign.models.offload import spread


@contextmanager
def parked(models: Sequence[Architecture], first: int) -> Iterator[None]:
    """Keep on the CPU what passes from layer ``first`` on do not run, while the block runs; then bring it back.

    Inside the block only :func:`semalign.models.capture.run_from` with layer ``first`` or a later one may run. Models
    that share weights share them all the time. Models on a CPU, and those that a device map spreads, stay as they are.

    Args:
        models: the models, such as an adapted student and the student whose weights it shares.
        first: the first layer that runs, from 1.
    """
    groups: dict[tuple[int, torch.Size], list[Tensor]] = {}
    for tensor in (tensor for model in models for tensor in _unused(model, first)):
        groups.setdefault((tensor.data_ptr(), tensor.shape), []).append(tensor)
    shared = list(groups.values())
    homes = [tensors[0].device for tensors in shared]
    _move(shared, [torch.device("cpu")] * len(shared))
    try:
        yield
    finally:
        _move(shared, homes)


def _move(shared: Sequence[Sequence[Tensor]], places: Sequence[torch.device]) -> None:
    for tensors, place in zip(shared, places, strict=True):
        moved = _moved(tensors[0].data, place)
        for tensor in tensors:
            tensor.data = moved


def _unused(model: Architecture, first: int) -> Iterator[Tensor]:
    """Yield the weights of a model on an accelerator that a pass from a layer on does not read."""
    if not _can_be_parked(model):
        return
    embeddings: Any = model.model.get_input_embeddings()
    untied = [] if embeddings.weight.data_ptr() == model.head_weight.data_ptr() else [embeddings]
    for module in (*untied, *model.layers[: first - 1]):
        yield from module.parameters()


def _can_be_parked(model: Architecture) -> bool:
    return model.device.type != "cpu" and not spread(model.model)


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device)
