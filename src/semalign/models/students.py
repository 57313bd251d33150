"""Students made from a model by leaving out layers, for families that have no smaller member."""

import re
from collections.abc import Collection
from copy import deepcopy

from transformers import AutoModelForCausalLM

from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.first_layers import with_layers
from semalign.models.loading import LanguageModel
from semalign.models.offload import whole_state


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
        ValueError: for a layer that the model does not have, or if that would remove no layer or all of them.
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
    student.load_state_dict(weights)
    return LanguageModel(student.to(architecture.device).eval(), model.tokenizer)


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
