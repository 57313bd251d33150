"""A run has its output folder alone, so that two runs do not write over each other."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from semalign.cache_folder import LOCK, locked_file
from semalign.disk import write_errors
from semalign.models import processes
from semalign.outputs import check_folder

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


def alone_in_output_dir(run: Callable[P, R]) -> Callable[P, R]:
    """Return a function that has the folder ``output_dir`` alone while it runs, if this keyword argument is given.

    Of several processes of one run, the first one has the folder. The function raises as :func:`alone` does.
    """

    @wraps(run)
    def locked(*args: P.args, **arguments: P.kwargs) -> R:
        given = arguments.get("output_dir")
        with ExitStack() as stack:
            if given is not None:
                folder = check_folder(given)  # type: ignore[arg-type]
                processes.by_first(lambda: stack.enter_context(alone(folder)))
            return run(*args, **arguments)

    return locked


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have a folder alone, among the runs of all machines, while the block runs; the folder need not exist.

    The lock is on a hidden file and ends with the process, however that ends. At the end of the block the file is
    removed, and with it the folder if it is new and empty. On a disk without locks, this warns and locks nothing.

    Raises:
        OSError: if another run has the folder, or nothing can be written there.
    """
    new = [part for part in (folder, *folder.parents) if not part.exists()]
    with write_errors(folder / LOCK):
        descriptor = _taken(folder)
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()  # before the lock ends: nobody else has it then
        os.close(descriptor)
        with suppress(OSError):  # there is something in it
            for part in new:
                part.rmdir()


def _taken(folder: Path) -> int:
    """Return the open file whose lock this process has."""
    descriptor = locked_file(folder, partial(_lock, folder))
    if descriptor is None:
        raise _taken_by_another(folder)
    return descriptor


def _lock(folder: Path, descriptor: int) -> None:
    """Lock a file alone; where the disk has no locks, this warns."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise _taken_by_another(folder) from None
    except OSError as error:
        logger.warning("%s cannot be locked (%s): start no other run there before this one ends", folder, error)


def _taken_by_another(folder: Path) -> OSError:
    return OSError(f"another run is writing to {folder}: wait until it has ended, or choose another output folder")
