"""What a tokenizer does, for the identity of a model."""

import json
import tempfile
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from semalign.files import file_sha256

CALLS = ("truncation", "padding", "version")  # a call changes the first two; the third is of the file format


def tokenizer_identity(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return what a tokenizer does with a text, for JSON; where it came from and its last call do not matter.

    It covers the vocabulary and rules, the special tokens, those that it puts around a text, the clean-up of decoded
    text and the chat template.
    """
    return {
        "rules": _fast_rules(tokenizer) if tokenizer.is_fast else _slow_rules(tokenizer),
        "special": {name: str(token) for name, token in tokenizer.special_tokens_map.items()},
        "around": list(tokenizer("").input_ids),
        "clean_up": bool(getattr(tokenizer, "clean_up_tokenization_spaces", False)),
        "split_special": bool(getattr(tokenizer, "split_special_tokens", False)),
        "chat_template": tokenizer.chat_template,
    }


def _fast_rules(tokenizer: Any) -> dict[str, Any]:
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return {name: value for name, value in rules.items() if name not in CALLS}


def _slow_rules(tokenizer: PreTrainedTokenizerBase) -> list[Any]:
    """Return the class, the vocabulary and the hashes of the files that the tokenizer saves, such as its merges."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            tokenizer.save_vocabulary(folder)
        except NotImplementedError:  # it has no file but the vocabulary
            pass
        files = {path.name: file_sha256(path) for path in sorted(Path(folder).iterdir())}
    return [type(tokenizer).__name__, tokenizer.get_vocab(), files]
