"""What is remembered of a model that is given by name, so that its weights can stay on disk: identity and types.

As in git's index, files count as unchanged while their sizes and times are the same. PyTorch is loaded only for what is
not remembered.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from semalign.files import json_fingerprint, keep_json, kept_json
from semalign.models.integrity import has_weights, weight_files
from semalign.models.located import cached_folder, locate
from semalign.models.placement import certain_type
from semalign.models.versions import PACKAGES, STATE_VERSION
from semalign.paths import cache_dir
from semalign.results.surroundings import package_version

if TYPE_CHECKING:
    import semalign.models.loading

# What a model and its tokenizer are made from; other files may come and go, such as notes, logs and other formats.
OF_A_MODEL = re.compile(
    r"(config|chat_template|token|vocab|merges|piece|bpe|tekken|\.index).*\.(json|txt|jinja|model)$|\.(model|tiktoken)$"
)
RECENT = 0.1  # seconds; a file that changes twice in a tick of its clock keeps its time


class Facts(NamedTuple):
    """What only the weights tell: the model's identity, and the types of its parameters."""

    identity: str
    types: list[str]


def facts_of(model: "semalign.models.loading.LanguageModel") -> Facts:
    """Return the facts of a model in memory."""
    from semalign.models.identity import model_identity
    from semalign.models.precision import types_of

    return Facts(model_identity(model), types_of(model.model.parameters()))


def file_stamp(name: str | Path) -> list[Any] | None:
    """Return path, size and times of a model's files, and how they are read; None if they are not on this machine.

    A model that is loaded in another type, or by other versions of the libraries, has another stamp.
    """
    source = Path(locate(name))
    files = [source] if source.is_file() else _files(cached_folder(str(source)))
    stats = [(str(path.absolute()), found) for path in files if (found := _stat(path)) is not None]
    if not stats:
        return None
    made_by = [STATE_VERSION, *map(package_version, PACKAGES), certain_type() or _type_here()]
    return [[[path, s.st_size, s.st_mtime_ns, s.st_ctime_ns] for path, s in stats], made_by]


def _type_here() -> str:
    from semalign.models.devices import chosen_place

    return str(chosen_place().dtype)


def recalled(name: str | Path) -> Facts | None:
    """Return the facts of a model by name if they are remembered of its files, else None; nothing is loaded.

    Raises:
        FileNotFoundError: see :func:`semalign.models.located.locate`.
    """
    stamp = file_stamp(name)
    kept = None if stamp is None else kept_json(_path(stamp))
    return None if kept is None else Facts(*kept)


def _files(folder: Path | None) -> list[Path]:
    """Return the files of a model; none without all weights."""
    if folder is None or not has_weights(folder):
        return []
    weights = weight_files(folder)
    return [path for path in sorted(folder.iterdir()) if path.name in weights or OF_A_MODEL.search(path.name)]


def _stat(path: Path) -> os.stat_result | None:
    """Return size and times of a file; None if it has just been removed."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def remembered(name: str | Path, load: "Callable[[], semalign.models.loading.LanguageModel]") -> Facts:
    """Return the facts of a model by name; ``load`` is called only if they are not known of these files.

    They are kept in the cache folder, if that can be written.

    Raises:
        ValueError: if the files change while they are read.
    """
    if (known := recalled(name)) is not None:
        return known
    started, stamp = time.time_ns(), file_stamp(name)
    facts = facts_of(load())
    after = file_stamp(name)
    if stamp is None:  # it has just been downloaded
        return facts
    if after != stamp:
        raise ValueError(f"the files of {name} changed while they were read: run again when they are complete")
    newest = max(times for _, _, *both in stamp[0] for times in both)
    if newest < started - RECENT * 1e9:
        with contextlib.suppress(OSError):
            keep_json(_path(stamp), facts)
    return facts


def _path(stamp: list[Any]) -> Path:
    return cache_dir() / "identities" / f"{json_fingerprint(stamp)}.json"
