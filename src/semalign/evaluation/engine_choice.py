"""Which engine answers, with which options: a profile's, unless the process names others by two variables.

``SEMALIGN_ENGINE`` and ``SEMALIGN_VLLM`` hold for this process and those that it starts, such as notebooks and jobs.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from semalign.yaml_text import parse

EngineName = Literal["transformers", "vllm"]
ENGINE, OPTIONS = "SEMALIGN_ENGINE", "SEMALIGN_VLLM"


class EngineChoice(NamedTuple):
    """An engine: its name, and for vLLM the options that it is started with, such as ``tensor_parallel_size``."""

    name: str
    options: Mapping[str, Any]


def choose(name: str | None, options: Mapping[str, Any]) -> None:
    """Set the engine and its options for this process and those that it starts; what is empty stays as it is."""
    if name:
        os.environ[ENGINE] = name
    if options:
        os.environ[OPTIONS] = json.dumps(options)


def chosen(name: str = "transformers", options: Mapping[str, Any] | None = None) -> EngineChoice:
    """Return the engine of the process, else the given one; the options of the process go on top of the given ones.

    Raises:
        ValueError: for a variable with a wrong value, or options of the process that its engine does not take.
    """
    used = os.environ.get(ENGINE) or name
    if used not in get_args(EngineName):
        raise ValueError(f"the variable {ENGINE} names {used!r}, which is not one of {', '.join(get_args(EngineName))}")
    own = parse(text, OPTIONS) if (text := os.environ.get(OPTIONS)) else {}
    if not isinstance(own, dict):
        raise ValueError(f"the variable {OPTIONS} must hold a mapping of options: {{tensor_parallel_size: 2}}")
    if own and used != "vllm":
        raise ValueError("options of vLLM need its engine: add --engine vllm, or leave --vllm out")
    return EngineChoice(used, {**(options or {}), **own} if used == "vllm" else {})
