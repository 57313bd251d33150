"""How far a training is: a line that is written over on a terminal, and lines of a log elsewhere."""

import logging
import sys
import time
from collections.abc import Mapping

from tqdm import tqdm

from semalign.models import processes

SHARE = 20  # lines of a log for a whole training, about
SECONDS = 60.0  # after which there is a line in any case

logger = logging.getLogger(__name__)


class Progress:
    """Shows the step, the terms of the loss and the time that is left.

    On a terminal, a line on standard error. Elsewhere, messages of level INFO without control characters. Of several
    processes, only the first one shows it.

    Args:
        name: what is trained.
        total: number of steps.
        done: how many were done before.
    """

    def __init__(self, name: str, total: int, done: int = 0) -> None:
        self.name, self.total, self.first, self.done = name, total, done, done
        self.started = self.told = time.monotonic()
        form = "{desc}: step {n_fmt} of {total_fmt}{postfix}, {remaining} left"
        self._line = tqdm(total=total, initial=done, desc=name, leave=False, disable=processes.quiet(), bar_format=form)
        self._log = processes.is_first() and not sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self._line.close()

    def step(self, terms: Mapping[str, float]) -> None:
        """Tell of one more step with the terms of its loss."""
        self.done += 1
        losses = ", ".join(f"{name} {value:.4f}" for name, value in terms.items())
        self._line.set_postfix_str(losses, refresh=False)
        self._line.update()
        if self._log and self._is_due():
            logger.info("%s: step %d of %d, %s, %s left", self.name, self.done, self.total, losses, self._left())

    def _is_due(self) -> bool:
        """Return whether it is time for a line: the first step, the last, each twentieth, and after a minute."""
        now, each = time.monotonic(), -(-self.total // SHARE)
        due = self.done in (self.first + 1, self.total) or self.done % each == 0 or now - self.told >= SECONDS
        self.told = now if due else self.told
        return due

    def _left(self) -> str:
        seconds = (time.monotonic() - self.started) / (self.done - self.first) * (self.total - self.done)
        return tqdm.format_interval(round(seconds))
