"""Students made from a model by leaving out layers, for families that have no smaller member."""

import re
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from semalign.errors import folded
from semalign.models.architecture import Architecture
from semalign.models.evaluating import evaluating, plain_torch
from semalign.models.first_layers import with_layers
from semalign.models.layout_proof import TOLERANCE
from semalign.models.loading import LanguageModel
from semalign.models.offload import whole_state
from semalign.models.patching import entering
from semalign.models.precision import wide

TOKENS = 16  # on which a student is compared with its original
FEWER = "the layers depend on their numbers in a way that is not known here: remove only the last ones"


@plain_torch(gradients=True)
def drop_layers(model: LanguageModel, removed: int | Collection[int] = 3) -> LanguageModel:
    """Return a copy of a model without some of its decoder layers, counted from 1.

    The copy is built from a shorter configuration, so that its layers are numbered without gaps (the key-value
    cache relies on these numbers) and it saves and loads like any model of its architecture. It shares nothing
    with the original, which is not changed.

    Args:
        model: a causal language model with its tokenizer.
        removed: the layers to remove; a number n stands for n, 2n, ..., so that 3 leaves two thirds of them.

    Raises:
        ValueError: for a layer that the model does not have, if that would remove no layer or all of them, or if the
            remaining layers cannot have the settings that they had (:func:`semalign.models.first_layers.with_layers`).
    """
    architecture = Architecture(model.model)
    kept = _kept(architecture.n_layers, removed)
    config = with_layers(model.model.config, kept)
    named = config.name_or_path or config.get_text_config().model_type
    config.name_or_path = f"{named.rstrip('/')}-{len(kept)}-layers"
    student = AutoModelForCausalLM.from_config(config, dtype=model.model.dtype)
    new_number = {k - 1: new for new, k in enumerate(kept)}
    numbered = re.compile(rf"({re.escape(architecture.layout.layers)}\.)(\d+)(\..*)")
    weights = {}
    for name, tensor in whole_state(model.model).items():
        if match := numbered.fullmatch(name):
            if int(match[2]) not in new_number:
                continue
            name = f"{match[1]}{new_number[int(match[2])]}{match[3]}"
        weights[name] = tensor
    student.generation_config = deepcopy(model.model.generation_config)  # with the tokens that end an answer
    _load(student, weights)
    made = LanguageModel(student.to(architecture.device).eval(), model.tokenizer)
    _check_same(architecture, made, kept)
    return made


def _load(student: PreTrainedModel, weights: Mapping[str, Tensor]) -> None:
    try:
        student.load_state_dict(weights)
    except RuntimeError as error:  # a layer has got another kind of weights with its new number
        raise ValueError(f"{FEWER}: {folded(error, 200)}") from error


def _check_same(original: Architecture, student: LanguageModel, kept: Collection[int]) -> None:
    """Make sure, on a few tokens, that the student computes what the original does when it passes over some layers."""
    tokens = min(TOKENS, student.context_length)
    ids = torch.linspace(0, len(original.head_weight) - 1, tokens, device=original.device).long()[None]
    with ExitStack() as hooks:
        for k in {*range(1, original.n_layers + 1)} - {*kept}:
            hooks.callback(original.layer(k).register_forward_hook(_passed_over, with_kwargs=True).remove)
        wanted, found = (wide(_logits(model, ids)).cpu() for model in (original.model, student.model))
    error = float((found - wanted).norm() / wanted.norm())
    if error > TOLERANCE.get(original.head_weight.dtype, TOLERANCE[torch.bfloat16]):
        raise ValueError(f"{FEWER} (relative difference of the logits {error:.2g})")


def _passed_over(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
    """Return a layer's input in place of its output."""
    states = entering(args, kwargs)
    return (states, *output[1:]) if isinstance(output, tuple) else states


def _logits(model: Any, ids: Int[Tensor, "1 tokens"]) -> Float[Tensor, "1 tokens v"]:
    with evaluating(model):
        return model(input_ids=ids, use_cache=False).logits


def _kept(n_layers: int, removed: int | Collection[int]) -> list[int]:
    if isinstance(removed, int):
        if not 2 <= removed <= n_layers:
            raise ValueError(f"every must be 2..{n_layers}, the number of layers; it is {removed}")
        removed = range(removed, n_layers + 1, removed)
    if wrong := [k for k in removed if not 1 <= k <= n_layers]:
        raise ValueError(f"there is no layer {wrong[0]} to remove: the model has layers 1..{n_layers}")
    kept = [k for k in range(1, n_layers + 1) if k not in removed]
    if len(kept) in (0, n_layers):
        raise ValueError(f"some of the {n_layers} layers must be removed, and not all; {len(kept)} would be left")
    return kept
