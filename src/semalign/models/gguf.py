"""Load a GGUF checkpoint as a plain float model with the tokenizer that it was trained with."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Regex, normalizers, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.integrations.gguf import read_gguf_metadata

from semalign.errors import one_line
from semalign.models.integrity import check_keys

# Patterns of the published tokenizers that go by these names in llama.cpp.
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class _Rules(NamedTuple):
    """How a byte-level BPE tokenizer splits text before its merges; ``pattern=None`` is GPT-2's own pattern."""

    pattern: str | None = None
    split_digits: bool = False
    nfc: bool = False
    ignore_merges: bool = False
    add_bos: bool = False


_GPT2 = _Rules()
_DIGITS = _Rules(split_digits=True)
_LLAMA_BPE = _Rules(_LLAMA3, ignore_merges=True, add_bos=True)
_RULES = {
    "gpt-2": _GPT2,
    "phi-2": _GPT2,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "refact": _DIGITS,
    "llama-bpe": _LLAMA_BPE,
    "llama3": _LLAMA_BPE,
    "llama-v3": _LLAMA_BPE,
    "qwen2": _Rules(_QWEN2, nfc=True),
    "tekken": _Rules(_TEKKEN, ignore_merges=True, add_bos=True),
}


def load_gguf(path: Path | str, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load ``path`` (a ``.gguf`` file) as an ordinary causal LM and its tokenizer.

    Quantized weights are expanded to ``dtype``, and the model then trains and saves like any other. A GGUF file
    only names how text is split before BPE (``tokenizer.ggml.pre``); the rules of that name are restored.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a GGUF file, is damaged or lacks weights, or its tokenizer's splitting rules are not
            known here. A wrong guess would give wrong tokens without any warning.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no GGUF file {path}")
    with _readable(path):
        metadata, _ = read_gguf_metadata(str(path))
    _rules(path, metadata)  # fail on an unknown tokenizer before the slow part
    return _load_model(path, dtype), _load_tokenizer(path, metadata)


def gguf_outline(path: Path) -> tuple[PretrainedConfig, PreTrainedTokenizerFast]:
    """Return the configuration and the tokenizer of a ``.gguf`` file, whose weights stay on disk; raises as above."""
    with _readable(path):
        metadata, _ = read_gguf_metadata(str(path))
        config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name, trust_remote_code=False)
    return _plain(config, path), _load_tokenizer(path, metadata)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Give any error of the libraries that read a file one line that names the file."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is damaged, or holds no causal language model ({one_line(error)})") from error


def _load_model(path: Path, dtype: torch.dtype) -> PreTrainedModel:
    with _readable(path):
        found: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
        )
    loaded, info = found
    check_keys(str(path), info)
    config = _plain(loaded.config, path)
    # The loaded object is marked as quantized and would refuse to be saved: give its weights to a new one.
    plain = type(loaded).from_pretrained(None, config=config, state_dict=loaded.state_dict(), dtype=dtype)
    plain.config.name_or_path = plain.name_or_path = path.stem
    return plain


def _plain(config: PretrainedConfig, path: Path) -> PretrainedConfig:
    """Return a copy of a configuration that says nothing of the file's quantisation."""
    config = copy.deepcopy(config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.name_or_path = path.stem
    return config


def _load_tokenizer(path: Path, metadata: dict[str, Any]) -> PreTrainedTokenizerFast:
    rules = _rules(path, metadata)
    with _readable(path):
        tokenizer = AutoTokenizer.from_pretrained(
            path.parent,
            gguf_file=path.name,
            trust_remote_code=False,
            add_bos_token=bool(metadata.get("tokenizer.ggml.add_bos_token", rules is None or rules.add_bos)),
            add_eos_token=bool(metadata.get("tokenizer.ggml.add_eos_token", False)),
        )
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(f"{path} gives a {type(tokenizer).__name__}, whose text splitting cannot be set")
    if rules is not None:
        _restore(tokenizer, rules)
    context = metadata.get(f"{metadata['general.architecture']}.context_length")
    if context is not None:
        tokenizer.model_max_length = int(context)
    return tokenizer


def _rules(path: Path, metadata: dict[str, Any]) -> _Rules | None:
    """Return the splitting rules that a file names, or None for SentencePiece, which needs none."""
    kind, name = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    if kind == "llama":
        return None
    if kind != "gpt2":
        raise ValueError(
            f"{path} has a tokenizer of type {kind!r}: only 'gpt2' and 'llama' can be read from a GGUF file"
        )
    if name not in _RULES:
        raise ValueError(
            f"{path} names the pre-tokenizer {name!r}, whose rules are not known here (known: "
            f"{', '.join(sorted(_RULES))}). Load the original Hugging Face folder of this model instead"
        )
    return _RULES[name]


def _restore(tokenizer: PreTrainedTokenizerFast, rules: _Rules) -> None:
    backend = tokenizer.backend_tokenizer
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=rules.pattern is None)
    steps: list[pre_tokenizers.PreTokenizer] = [byte_level]
    if rules.pattern is not None:
        steps.insert(0, pre_tokenizers.Split(Regex(rules.pattern), behavior="isolated"))
    if rules.split_digits:
        steps.insert(0, pre_tokenizers.Digits(individual_digits=True))
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    if rules.nfc:
        backend.normalizer = normalizers.NFC()
    if isinstance(backend.model, BPE):
        backend.model.ignore_merges = rules.ignore_merges
