"""Which files of a folder are those of a saved result: nothing else in it is replaced or removed.

The record of a result lists the files that were written with it, so that one that was changed afterwards is known.
Earlier records have no list; beside them, files are known by their names, and the model card by how it begins.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

from semalign.cache_folder import notes_of
from semalign.files import file_sha256
from semalign.results.records import RECORD, read_record

CARD = "README.md"
LISTED = "files"  # the entry of a record's details with the other files of the result
METRICS = ("training_loss", "response_nll")  # of the record of a transfer
LARGE = 2**28  # bytes; a larger file is known by its size alone
OF_ADAPTER = re.compile(r"adapter_config\.json|adapter_model\.safetensors")
OF_MODEL = re.compile(
    r"config\.json|generation_config\.json|model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?"
    r"|(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json|merges\.txt|vocab\.txt"
    r"|(tokenizer|spiece)\.model|chat_template\.jinja"
)
CHECKPOINT = re.compile(r"checkpoint(-\d+)?\.safetensors")


def stamps(folder: Path) -> dict[str, str]:
    """Return what the files of a folder are known by, by name."""
    return {path.name: _stamp(path) for path in sorted(folder.iterdir()) if path.is_file()}


def files_of_result(folder: Path) -> set[str]:
    """Return the names of the files of a result in a folder; none without the record of a transfer, as it was written.

    A file that its record lists is left out if it has changed since.
    """
    record = _record(folder)
    if record is None:
        return set()
    listed = record["details"].get(LISTED)
    there = {path.name: path for path in folder.iterdir() if path.is_file()}
    if isinstance(listed, Mapping):
        found = {name for name in there.keys() & listed.keys() if listed[name] == _stamp(there[name])}
    else:
        found = {name for name in there if _by_name(folder, name)}
    return {RECORD, *found}


def strangers(folder: Path, *, plain: bool) -> list[str]:
    """Return the names that a run may write and that are something else: no file of a result, and no checkpoint.

    A model card that was edited is none of them: it is kept beside the new one.

    Args:
        folder: the run's output folder, which need not exist.
        plain: whether the result may be a plain model with its tokenizer, and not only an adapter.
    """
    if not folder.is_dir():
        return []
    own = files_of_result(folder)
    kept = own | _ours(folder) | ({CARD} if own else set())
    return sorted(name for name in os.listdir(folder) if _written(name, plain) and name not in kept)


def _record(folder: Path) -> dict[str, Any] | None:
    """Return the record of the transfer whose result a folder holds."""
    try:
        record = read_record(folder / RECORD)
    except (OSError, ValueError):  # there is none, or somebody else's, or it has changed
        return None
    return record if record["metric"] in METRICS else None


def _stamp(path: Path) -> str:
    size = path.stat().st_size
    return f"{size} bytes" if size > LARGE else file_sha256(path)[:16]


def _by_name(folder: Path, name: str) -> bool:
    """Return whether a file beside a record without a list belongs to its result, which is an adapter or a model."""
    if name == CARD:
        return _is_card(folder / name)
    if (folder / "adapter_config.json").is_file():
        return OF_ADAPTER.fullmatch(name) is not None
    # A removal that was stopped has taken the configuration.
    kind = OF_MODEL if (folder / "config.json").is_file() else OF_ADAPTER
    return kind.fullmatch(name) is not None


def _is_card(path: Path) -> bool:
    """Return whether a README begins as :func:`semalign.methods.card.model_card` does."""
    start, _, text = path.read_text(encoding="utf-8", errors="replace").removeprefix("---\n").partition("\n---\n")
    return "semalign" in start.rpartition("tags: ")[2] and " made by semalign. " in text


def _written(name: str, plain: bool) -> bool:
    kinds = (OF_ADAPTER, OF_MODEL, CHECKPOINT) if plain else (OF_ADAPTER, CHECKPOINT)
    return name in (RECORD, CARD) or any(kind.fullmatch(name) for kind in kinds)


def _ours(folder: Path) -> set[str]:
    """Return the names of the checkpoints that a training has written, damaged ones among them.

    What is a whole file of tensors without the notes of a training is somebody else's.
    """
    names = filter(CHECKPOINT.fullmatch, os.listdir(folder))
    return {name for name in names if "identity" in notes_of(folder / name) or _damaged(folder / name)}


def _damaged(path: Path) -> bool:
    """Return whether a file is empty, or begins as one of tensors does and is none, as one that was cut."""
    with open(path, "rb") as file:
        start = file.read(9)
    try:
        with safe_open(path, framework="np"):
            return False
    except Exception:  # safetensors' own, for a damaged file
        return not start or start[8:] == b"{"
