"""Adapters for vLLM, which reads their files itself and passes over settings that it does not know."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semalign.models.adapters import FURTHER, adapter_weights, changes_base, check_base, read_config

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # largest ranks that vLLM can be set to


def check_adapter(adapter: Path, base: str) -> None:
    """Make sure that vLLM can apply an adapter, that it is whole, and that it was made for a model.

    Args:
        adapter: its folder.
        base: name or folder of the model.

    Raises:
        FileNotFoundError: if the folder holds no adapter.
        ValueError: for what :func:`lora_rank` refuses, a damaged adapter, or one that was made for another model.
    """
    lora_rank(adapter)
    check_base(base, adapter, read_config(adapter))
    adapter_weights(adapter)


def lora_rank(adapter: Path) -> int:
    """Return the largest rank that vLLM must allow for an adapter: its rank, rounded up to one that vLLM has.

    Raises:
        FileNotFoundError: if the folder holds no adapter.
        ValueError: if it is no plain LoRA, its matrices have several scales, or its rank is larger than all of these.
    """
    config = read_config(adapter)
    if config["peft_type"] != "LORA" or not isinstance(config.get("r"), int):
        raise ValueError(f"{adapter} holds an adapter by {config['peft_type']}; vLLM takes LoRA with a rank")
    if further := [name for name in FURTHER if config.get(name)]:
        raise ValueError(f"{adapter} uses {further[0]}, which vLLM would leave out: use --engine transformers")
    if changes_base(config.get("init_lora_weights")):
        raise ValueError(
            f"{adapter} changes the base by its initialisation {config['init_lora_weights']!r}, which vLLM would leave "
            "out: use --engine transformers"
        )
    if len(_scales(config)) > 1:
        raise ValueError(
            f"{adapter} scales its matrices differently (rank_pattern, alpha_pattern), and vLLM would give all of them "
            "one scale: use --engine transformers"
        )
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    if rank > RANKS[-1]:
        raise ValueError(f"{adapter} has rank {rank}; vLLM takes {RANKS[-1]} at most: use --engine transformers")
    return next(room for room in RANKS if room >= rank)


def _scales(config: Mapping[str, Any]) -> set[float]:
    """Return the scales of an adapter's matrices: ``alpha / r``, or ``alpha / sqrt(r)`` of rank-stabilised LoRA."""
    ranks, alphas = (config.get(name) or {} for name in ("rank_pattern", "alpha_pattern"))
    sizes = [(config["r"], config.get("lora_alpha", 8))]
    sizes += [(ranks.get(key, config["r"]), alphas.get(key, sizes[0][1])) for key in {*ranks, *alphas}]
    return {alpha / (math.sqrt(rank) if config.get("use_rslora") else rank) for rank, alpha in sizes}
