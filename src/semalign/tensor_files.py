"""Tensors on disk: written whole or not at all, and checked when read; and fingerprints of tensors."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from semalign.files import DamagedFileError, atomic_path, json_fingerprint

logger = logging.getLogger(__name__)
NOTES = "semalign"  # the entry of a safetensors file's metadata that holds checksum and notes


def tensor_fingerprint(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return a short hash of named tensors: names, shapes, dtypes and every byte."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def write_tensors(path: Path | str, tensors: Mapping[str, torch.Tensor], notes: Mapping[str, Any]) -> None:
    """Write tensors and notes as safetensors, atomically, with a checksum over both; equal content, equal bytes.

    Args:
        path: the file.
        tensors: the tensors by name.
        notes: what else the file holds, JSON-serialisable. They are one entry of the metadata, since safetensors writes
            several in random order.
    """
    saved = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = json.dumps(notes)
    metadata = {NOTES: json.dumps({"checksum": _checksum(saved, content), "notes": content})}
    with atomic_path(path) as temporary:
        save_file(saved, temporary, metadata=metadata)


def read_tensors(path: Path | str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the tensors and the notes of a file that :func:`write_tensors` wrote.

    Raises:
        OSError: if there is no such file, or it cannot be read.
        DamagedFileError: if its content is not as it was written; the message names the file.
    """
    with open(path, "rb"):  # raises an error that names the file
        pass
    try:
        with safe_open(path, framework="pt") as file:
            stored = json.loads(file.metadata()[NOTES])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        content = stored["notes"]
        intact = stored["checksum"] == _checksum(tensors, content)
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
        intact = False
    if not intact:
        raise DamagedFileError(f"{path} is damaged or was not written by this version of semalign: make it again")
    return tensors, json.loads(content)


def kept_tensors(path: Path | str) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Return what :func:`read_tensors` does, or None: without a file, and with a warning if it cannot be used."""
    try:
        return read_tensors(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # of a shared cache, in which another user has written
        logger.warning("%s cannot be read (%s): made anew", path, error.strerror)
        return None
    except DamagedFileError:
        logger.warning("%s is damaged or was not written by this version of semalign: made anew", path)
        return None


def _checksum(tensors: Mapping[str, torch.Tensor], notes: str) -> str:
    return json_fingerprint([tensor_fingerprint(tensors), notes])
