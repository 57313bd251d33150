"""Results that are computed once and kept in the cache folder, by one process or by several that share a run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from semalign.files import keep_json, kept_json
from semalign.models import processes


def computed_once(path: Path, compute: Callable[[], Any]) -> Any:
    """Return what is kept at ``path``; if that is absent or damaged, compute it, in all processes, and keep it.

    Args:
        path: a JSON file whose name is a hash of all that the result depends on.
        compute: returns the result, the same in every process.
    """
    found = kept_json(path)
    if processes.sums({"known": float(found is not None)})["known"] < processes.count():
        found = compute()
        processes.by_first(partial(keep_json, path, found))
    return found
