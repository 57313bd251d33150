"""Forward passes in float32 of a model in half precision, one layer at a time, so that one layer more is in memory."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from semalign.models.architecture import Architecture
from semalign.models.precision import is_half, wide


@contextmanager
def wide_passes(architecture: Architecture) -> Iterator[None]:
    """Let decoder layers and the final norm compute in float32 while the block runs.

    Their weights are then bit for bit what they were. The states between layers are float32 too, so that what a pass
    adds up is rounded no more than the weights are. A model in float32 or float64 is left as it is. The head keeps its
    type.
    """
    if not is_half(architecture.model):
        yield
        return
    with ExitStack() as hooks:
        embeddings = architecture.model.get_input_embeddings()
        hooks.callback(embeddings.register_forward_hook(_widened).remove)
        for module in (*architecture.layers, architecture.norm):
            hooks.enter_context(_wide_layer(module))
        yield


def _widened(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
    return wide(output)


@contextmanager
def _wide_layer(layer: nn.Module) -> Iterator[None]:
    """Hold a layer in float32 while it runs; also where it fails, its weights get their types back."""
    types = {name: parameter.dtype for name, parameter in layer.named_parameters()}

    def widen(*_: Any) -> None:
        layer.float()

    def narrow(*_: Any) -> None:
        for name, parameter in layer.named_parameters():
            parameter.data = parameter.data.to(types[name])

    handles = layer.register_forward_pre_hook(widen), layer.register_forward_hook(narrow, always_call=True)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        narrow()
