"""What a method did to its student on held-out rows: response NLL and the method's own measurements."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from semalign.data.rows import Example
from semalign.files import json_fingerprint
from semalign.methods.details import recordable
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.results.statistics import ratio_interval
from semalign.training.adaptation import Adapted, Inputs
from semalign.training.finetuning import row_nll

logger = logging.getLogger(__name__)
_before: dict[str, list[float]] = {}  # of a student on held-out rows, which is the same for all methods


class HeldOut(NamedTuple):
    """Measurements on the held-out rows.

    Attributes:
        before: of the student as it was: the response NLL in nats a token, and what the method measures.
        after: the same of the adapted student.
        interval: 95% interval of the response NLL before, over rows; NaN for one row.
        row_nll: the response NLL of each row after, in nats a token.
        seen: how many rows were trained on, see :func:`seen`; nothing if none.
    """

    before: dict[str, float]
    after: dict[str, float]
    interval: tuple[float, float]
    row_nll: list[float]
    seen: dict[str, int]

    @property
    def details(self) -> dict[str, Any]:
        """What a run record says of them, in the form of :class:`semalign.results.training.Training`.

        Each measurement of the method is an entry of its own too, unless records use its name in another form.
        """
        pairs = self.pairs()
        nll = pairs.pop("response_nll")
        low, high = (end if math.isfinite(end) else None for end in self.interval)
        rows = [round(value, 6) for value in self.row_nll]
        nll |= {"low": low, "high": high, "n": len(rows), "split": None, "row_nll": rows}
        known = {"held_out_seen": self.seen} if self.seen else {}
        return {**recordable(pairs), **known, "held_out": nll, "before": self.before, "after": self.after}

    def pairs(self) -> dict[str, dict[str, Any]]:
        """Return each measurement before and after."""
        return {key: {"before": self.before[key], "after": self.after[key]} for key in self.after}


@contextmanager
def of_held_out() -> Iterator[None]:
    """Let a ``ValueError`` of the block say that it is about held-out rows, which have numbers of their own."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"held-out rows: {error}") from error


def seen(rows: Sequence[Mapping[str, str]], held_out: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Return how many held-out ``rows`` are training rows, and how many have the prompt of one (``prompts``).

    The texts are compared as they are. Rows with the empty prompt have no prompt in common. If there are no such rows,
    the result is empty.
    """
    trained = {(row["prompt"], row["response"]) for row in rows}
    prompts = {prompt for prompt, _ in trained if prompt}
    whole = [(row["prompt"], row["response"]) in trained for row in held_out]
    asked = [same or row["prompt"] in prompts for same, row in zip(whole, held_out, strict=True)]
    return {"rows": sum(whole), "prompts": sum(asked)} if any(asked) else {}


def check_held_out(inputs: Inputs) -> None:
    """Warn if held-out rows are training rows, or have their prompts.

    Raises:
        ValueError: if each of them is a training row.
    """
    found, n = seen(inputs.rows[: getattr(inputs.settings, "train_size", None)], inputs.held_out), len(inputs.held_out)
    if found and found["rows"] == n:
        raise ValueError(f"each held-out row ({n}) is a training row too: hold out rows that are not trained on")
    if found and processes.is_first():
        logger.warning(
            "%d of %d held-out rows are training rows, and %d have the prompt of one: what is measured on them says "
            "little about new rows",
            *(found["rows"], n, found["prompts"]),
        )


def measured(inputs: Inputs, adapted: Adapted) -> HeldOut | None:
    """Return the measurements on the held-out rows, None if there are none.

    The response NLL of the unmodified student is computed once in a process, for all methods and seeds.
    """
    if not inputs.held_out:
        return None
    examples = inputs.pair.encode(inputs.held_out).student
    before, after = _before_nll(inputs, examples), row_nll(Architecture(adapted.model), examples)
    tokens = [len(example.positions()) for example in examples]
    first, last = ratio_interval(before, tokens), ratio_interval(after, tokens)
    return HeldOut(
        {**adapted.before, "response_nll": first.value},
        {**adapted.after, "response_nll": last.value},
        (first.low, first.high),
        [nll / n for nll, n in zip(after, tokens, strict=True)],
        seen(inputs.rows, inputs.held_out),
    )


def _before_nll(inputs: Inputs, examples: list[Example]) -> list[float]:
    """Return the response NLL of each row by the unmodified student, in nats."""
    pair = inputs.pair
    key = json_fingerprint([pair.fingerprints["student"], pair.computed_by, inputs.held_out])
    if key not in _before:
        _before[key] = row_nll(pair.student_architecture, examples)
    return _before[key]
