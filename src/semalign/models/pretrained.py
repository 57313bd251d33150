"""Everything that transformers reads from a folder or the hub: no code of a model runs, and any fault is one line."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from semalign import hub
from semalign.errors import folded, one_line
from semalign.models.downloads import download
from semalign.models.first_layers import above, can_be_cut, files_of_layers, with_layers
from semalign.models.integrity import check_folder, check_keys, has_weights
from semalign.models.located import cached_folder


def load_network(
    source: str,
    dtype: torch.dtype | None,
    device_map: str | Mapping[str, Any] | None = None,
    *,
    layers: int | None = None,
) -> PreTrainedModel:
    """Return the model of a folder or hub id without its tokenizer; raises as :func:`semalign.load_model` does.

    Args:
        source: folder or hub id.
        dtype: type of the weights; None: the checkpoint's own.
        device_map: see :func:`semalign.load_model`.
        layers: how many layers to load, from the first; None: all. A model of several towers, and one with a device
            map, is loaded whole; a model on the hub is downloaded whole, since its identity needs all weights.
    """
    unused: set[str] = set()
    # Weights that a device map leaves on disk are read later, from the files as they are.
    if layers is not None and device_map is None and can_be_cut(config := load_config(source), layers):
        with files_of_layers(_whole_folder(source), config, layers) as files:
            shorter = with_layers(config, range(1, layers + 1))
            model, info = _network(source, str(files), dtype, device_map, config=shorter)
        unused = above(info["unexpected_keys"], config, layers)
    else:
        if Path(source).is_dir():
            check_folder(Path(source))
        model, info = _network(source, source, dtype, device_map)
    check_keys(source, {**info, "unexpected_keys": set(info["unexpected_keys"]) - unused})
    model.config.name_or_path = model.name_or_path = source
    model.config.return_dict = True  # old configurations may ask for tuples
    if getattr(model, "peft_config", None):
        raise ValueError(f"{source} is a PEFT adapter: load its base model, and put the adapter on it")
    return model


def _network(
    source: str,
    files: str,
    dtype: torch.dtype | None,
    device_map: str | Mapping[str, Any] | None,
    **config: PretrainedConfig,
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Return the model in ``files``, and what transformers tells of the weights; errors name ``source``."""
    with readable(source), _quiet():
        found: Any = AutoModelForCausalLM.from_pretrained(
            files,
            **config,
            dtype=dtype or "auto",
            device_map=device_map,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # check_keys refuses them
        )
    return found


def load_tokenizer(source: str | Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a folder or hub id; raises as :func:`semalign.load_model` does."""
    with readable(source):
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


def load_config(source: str | Path) -> PretrainedConfig:
    """Return the configuration of a folder or hub id; raises as :func:`semalign.load_model` does."""
    with readable(source):
        return AutoConfig.from_pretrained(source, trust_remote_code=False)


def _whole_folder(source: str) -> Path:
    """Return the folder with all files of a model; what is missing of a model on the hub is downloaded."""
    folder = cached_folder(source)
    if folder is not None and (Path(source).is_dir() or has_weights(folder)):
        return folder
    with readable(source):
        return download(source)


@contextmanager
def readable(source: str | Path) -> Iterator[None]:
    """Give any error of transformers one line that names the source."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # transformers raises anything for a folder that it cannot use
        if isinstance(error, OSError) and not Path(source).is_dir():
            raise hub.no_model(source, error) from error
        raise ValueError(f"{source} cannot be loaded: {_reason(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep progress bars and the table of wrong weights, which are checked here, from the terminal."""
    progress, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if progress:
            transformers_logging.enable_progress_bar()


def _reason(error: Exception) -> str:
    """Return in one line why transformers could not load a model."""
    if "trust_remote_code" in str(error):
        return "it needs code of its own, which is never run here: take a model of an architecture of transformers"
    if "Unrecognized configuration class" in str(error):
        return "it is no causal language model that transformers knows"
    return folded(one_line(error), 300)
