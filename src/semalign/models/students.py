"""Students made from a model by leaving out layers, for families that have no smaller member."""

import re

from transformers import AutoModelForCausalLM

from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.first_layers import with_layers
from semalign.models.loading import LanguageModel
from semalign.models.offload import whole_state


@plain_torch(gradients=True)
def drop_layers(model: LanguageModel, every: int = 3) -> LanguageModel:
    """Return a copy of a model without its decoder layers ``every``, ``2 * every``, ... (counted from 1).

    The copy is built from a shorter configuration, so that its layers are numbered without gaps (the key-value
    cache relies on these numbers) and it saves and loads like any model of its architecture. It shares nothing
    with the original, which is not changed.

    Args:
        model: a causal language model with its tokenizer.
        every: which layers to remove; 3 leaves two thirds of them.

    Raises:
        ValueError: if that would remove no layer or all of them.
    """
    architecture = Architecture(model.model)
    if not 2 <= every <= architecture.n_layers:
        raise ValueError(f"every must be 2..{architecture.n_layers}, the number of layers; it is {every}")
    kept = [k for k in range(1, architecture.n_layers + 1) if k % every]
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
    student.load_state_dict(weights)
    return LanguageModel(student.to(architecture.device).eval(), model.tokenizer)
