"""The final norm and the LM head of a model, kept in the cache: bases and logits need no other weights."""

import contextlib
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.paths import cache_dir
from semalign.tensor_files import kept_tensors, write_tensors

PARTS = ("lm_head", "norm")


def keep_head(model: LanguageModel, identity: str, replace: bool = False) -> None:
    """Write final norm and head of a model to the cache folder, if that can be written.

    Args:
        model: the model.
        identity: its identity.
        replace: whether to write them although a file is there.
    """
    path = _path(identity)
    with contextlib.suppress(OSError):
        if replace or not path.is_file():
            write_tensors(path, _tensors(model.model), {})


def kept_head(outline: LanguageModel, identity: str, device: torch.device) -> LanguageModel | None:
    """Return a model of which only final norm and head have numbers, from the cache; None if they are not there."""
    found = kept_tensors(_path(identity))
    return None if found is None else _with_head(outline, found[0], device)


def head_of(outline: LanguageModel, model: LanguageModel) -> LanguageModel:
    """Return a model of which only final norm and head have numbers, those of ``model``."""
    return _with_head(outline, _tensors(model.model), Architecture(model.model).device)


def _path(identity: str) -> Path:
    return cache_dir() / "heads" / f"{identity}.safetensors"


def _tensors(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return the weights of the two parts of a model."""
    architecture = Architecture(model)
    states = {part: getattr(architecture, part).state_dict() for part in PARTS}
    return {f"{part}.{name}": tensor for part, state in states.items() for name, tensor in state.items()}


def _with_head(outline: LanguageModel, tensors: dict[str, Tensor], device: torch.device) -> LanguageModel:
    network = deepcopy(outline.model)
    architecture = Architecture(network)
    head, embeddings = architecture.lm_head, network.get_input_embeddings()
    tied = head.weight is embeddings.weight
    for part in PARTS:
        module: nn.Module = getattr(architecture, part)
        names = [name for name in tensors if name.startswith(f"{part}.")]
        module.load_state_dict({name.removeprefix(f"{part}."): tensors[name].to(device) for name in names}, assign=True)
    if tied:
        embeddings.weight = head.weight
    return LanguageModel(network.requires_grad_(False).eval(), outline.tokenizer)
