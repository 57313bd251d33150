"""Make all records that are asked for: what goes wrong with one stops no other, and is told at the end."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from semalign.errors import one_line
from semalign.experiments.cells import Recorded
from semalign.experiments.inputs import forget_sources
from semalign.experiments.work_folder import make, share_out
from semalign.models import memory

logger = logging.getLogger(__name__)
R = TypeVar("R", bound=Recorded)
OF_ONE = (ValueError, FloatingPointError, torch.linalg.LinAlgError)
"""Errors that say something about one record: a method refuses its models or data, or its numbers are not finite."""


def make_all(
    wanted: Iterable[R],
    folder: Path,
    reason: Callable[[R], str | None],
    run: Callable[[R, Path], dict[str, Any]],
    what: str,
) -> list[Path]:
    """Make records, beside other processes with the same ones; return the paths of those that were written.

    Of a record whose run ends with an error of its own, among them too little memory, the models are let go, and the
    others are made all the same.

    Args:
        wanted: what has a record each, in order.
        folder: where the records are.
        reason: says why one has to be made, None if it need not.
        run: makes one, with a folder for its checkpoint; see :func:`semalign.experiments.work_folder.make`.
        what: word for all of them, in the progress bar and in the error.

    Raises:
        ValueError: at the end, if there are some without a record: it names the first and says why.
    """
    written: list[Path] = []
    failed: list[str] = []

    def attempt(one: R, wait: bool) -> None:
        path = folder / one.file_name
        try:
            if make(path, partial(reason, one), partial(run, one), wait):
                written.append(path)
            return
        except Exception as error:
            if not (isinstance(error, OF_ONE) or memory.is_out_of_memory(error)):
                raise
            failed.append(f"{path.stem}: {one_line(error)}")
        # Only now: the error holds on to what the run had in memory.
        logger.error(failed[-1])
        forget_sources()
        memory.clear()

    share_out(wanted, attempt, what)
    if failed:
        raise ValueError(f"{len(failed)} {what} without a record; {failed[0]}")
    return written
