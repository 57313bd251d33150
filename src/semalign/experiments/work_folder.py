"""Make one record of a profile: in a folder with a checkpoint, by one process, and only if it has to be made."""

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from semalign.experiments.staleness import MISSING
from semalign.paths import cache_dir
from semalign.results.records import write_record

logger = logging.getLogger(__name__)


def work_path(record: Path) -> Path:
    """Return the folder of a record's run, in the cache: named after the record and the folder that it goes to."""
    place = record.absolute().parent
    return cache_dir() / "runs" / f"{place.name}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}" / record.stem


@contextmanager
def work_folder(record: Path) -> Iterator[Path]:
    """Yield the folder of a record's run, which need not exist, to this process alone.

    It is removed if the block ends without an error, and stays after one: a run that was stopped goes on from its
    checkpoint there. Another process with the same run waits for this one; it then has to look for the record again.
    """
    folder = work_path(record)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def make(record: Path, reason: Callable[[], str | None], run: Callable[[Path], dict[str, Any]]) -> bool:
    """Write a record, unless another process has made it in the meantime; return whether it was written.

    Args:
        record: its path.
        reason: says why it has to be made, None if it need not; see :func:`semalign.experiments.staleness.problem`.
        run: makes it, with a folder for its checkpoint and what it trains.
    """
    with work_folder(record) as folder:
        why = reason()
        if why is None:
            return False
        if why != MISSING:
            logger.warning("%s is %s: made again", record.stem, why)
        write_record(record, run(folder))
    return True
