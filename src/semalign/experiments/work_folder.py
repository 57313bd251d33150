"""Make one record of a profile: in a folder with a checkpoint, by one process, and only if it has to be made."""

import hashlib
import logging
import re
import shlex
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from tqdm import tqdm

from semalign.experiments.staleness import MISSING
from semalign.paths import cache_dir
from semalign.results.records import write_record

logger = logging.getLogger(__name__)
T = TypeVar("T")
WORD = r"""('[^']*'|"'"|[^\s'"])+"""  # as shlex quotes it
ONLY = rf" --only[ =]{WORD}"
NARROWED = re.compile(  # the options of all verbs, then a verb with the option --only
    rf"semalign( (-v|--verbose|--include[ =]{WORD}))* (compare|select|sweep)( |$)"
)


def work_path(record: Path) -> Path:
    """Return the folder of a record's run, in the cache: named after the record and the folder that it goes to."""
    place = record.absolute().parent
    return cache_dir() / "runs" / f"{place.name}-{hashlib.sha256(str(place).encode()).hexdigest()[:8]}" / record.stem


class TakenError(RuntimeError):
    """Another process is making the record."""


@contextmanager
def work_folder(record: Path, wait: bool = True) -> Iterator[Path]:
    """Yield the folder of a record's run, which need not exist, to this process alone.

    It is removed if the block ends without an error, and stays after one: a run that was stopped goes on from its
    checkpoint there. Another process with the same run waits for this one; it then has to look for the record again.

    Raises:
        TakenError: without ``wait``, if another process has it.
    """
    folder = work_path(record)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        taken = FileLock(f"{folder}.lock").acquire(blocking=wait)
    except Timeout:
        raise TakenError(record.stem) from None
    with taken:
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def make(
    record: Path, reason: Callable[[], str | None], run: Callable[[Path], dict[str, Any]], wait: bool = True
) -> bool:
    """Write a record, unless another process has made it in the meantime; return whether it was written.

    Its ``command`` makes this record alone, where there is such a command (:func:`narrowed`).

    Args:
        record: its path.
        reason: says why it has to be made, None if it need not; see :func:`semalign.experiments.staleness.problem`.
        run: makes it, with a folder for its checkpoint and what it trains.
        wait: whether to wait for another process that is making it.

    Raises:
        TakenError: without ``wait``, if another process is making it.
    """
    with work_folder(record, wait) as folder:
        why = reason()
        if why is None:
            return False
        if why != MISSING:
            logger.warning("%s is %s: made again", record.stem, why)
        made = run(folder)
        write_record(record, {**made, "command": narrowed(made["command"], record.stem)})
    return True


def narrowed(command: str, name: str) -> str:
    """Return the command that makes one record of those that a command makes, where its verb has ``--only``.

    >>> narrowed("semalign sweep --profile micro-depth --only a --only b", "b")
    'semalign sweep --profile micro-depth --only b'
    """
    if not NARROWED.match(command):
        return command
    return f"{re.sub(ONLY, '', command)} --only {shlex.quote(name)}"


def share_out(wanted: Iterable[T], attempt: Callable[[T, bool], object], what: str) -> None:
    """Make records beside other processes with the same ones: what another is making comes again at the end.

    Args:
        wanted: what to make, in order.
        attempt: makes one of them by :func:`make`, with its argument ``wait``.
        what: name of the progress bar.
    """
    waiting = deque((one, False) for one in wanted)
    with tqdm(total=len(waiting), desc=what, disable=None) as progress:
        while waiting:
            one, wait = waiting.popleft()
            try:
                attempt(one, wait)
                progress.update()
            except TakenError:
                waiting.append((one, True))
