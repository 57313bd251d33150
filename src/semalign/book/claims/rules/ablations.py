"""Rules on ablations and side effects: held-out losses of variants of one training, paired by row."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from semalign.book.claims.evidence import records_of
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import NOT, PARTLY, REPRODUCED, UNDECIDED, Finding, NotRunError, over
from semalign.book.tables.ablations import BASES
from semalign.book.tables.ablations import changes as all_changes
from semalign.book.tables.paper import title
from semalign.experiments.profiles import load_profile
from semalign.results.records import PAPER
from semalign.results.resampling import Difference, seeded_bootstraps
from semalign.results.statistics import ALPHA, holm
from semalign.results.training import HeldOutNll, Training, training_of


class Losses(NamedTuple):
    """Of all seeds of an entry on a task: how far the loss of all held-out tokens rose, and the loss of each row.

    The width is half of the 95% interval over rows of the loss before; it is infinite for a single row.
    """

    rise: float
    width: float
    rows: Float[ndarray, "seeds rows"]


Rises = Mapping[str, Sequence[float]]  # of the loss of each row, by task


def _losses(patterns: Sequence[str]) -> dict[tuple[str, str], Losses]:
    found: dict[tuple[str, str], list[HeldOutNll]] = {}
    for record in records_of(patterns):
        if (nll := training_of(record).held_out) is not None:
            found.setdefault((record["task"], record["method"]), []).append(nll)
    return {
        key: Losses(
            rise=float(np.mean([run.after - run.before for run in runs])),
            width=_width(runs[0]),
            rows=np.array([run.row_nll for run in runs]),
        )
        for key, runs in found.items()
    }


def _width(nll: HeldOutNll) -> float:
    return math.inf if nll.low is None or nll.high is None else (nll.high - nll.low) / 2


def _told(name: str, found: Difference) -> str:
    return f"{name} {found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


@rule
def few_layers(patterns: Sequence[str], *, bases: Sequence[str], more: Sequence[int], margin: float) -> Finding:
    """Reproduced if one layer lowers the held-out loss, and more layers do not lower it further by ``margin`` nats.

    A base and task is refuted if more layers lower the loss beyond the interval and the margin; it is open where an
    interval is too wide, or where one layer does not lower the loss by more than half of its interval over rows before,
    since then nothing is shared out among layers. Records do not have the rows before, so that this is not paired.
    """
    found, outcomes, lines = _losses(patterns), [], []
    for (task, entry), one in found.items():
        for base in [name for name in bases if BASES[name] == entry]:
            further = [losses for n in more if (losses := found.get((task, f"{base}-{n}-layers"))) is not None]
            if len(further) < len(more):
                raise NotRunError(f"no record of {base} on {title(task)} with {', '.join(map(str, more))} layers")
            changes = seeded_bootstraps([(losses.rows, one.rows) for losses in further])
            outcomes.append(_enough(one, changes, margin))
            told = ", ".join(_told(str(n), change) for n, change in zip(more, changes, strict=True))
            lines.append(f"{title(task)}, `{base}`, one layer {one.rise:+.4f}; against it {told}")
    if not outcomes:
        raise NotRunError(f"no base with {', '.join(map(str, more))} layers on record")
    return Finding(over(outcomes), {"each": "; ".join(lines)})


def _enough(one: Losses, changes: Sequence[Difference], margin: float) -> bool | None:
    if one.rise >= -one.width:
        return None
    if any(change.high < 0 and change.value < -margin for change in changes):
        return False
    return True if all(change.low > -margin for change in changes) else None


@rule
def design_stands(patterns: Sequence[str], *, base: str, factors: Sequence[str], least: int) -> Finding:
    """Reproduced if some changes of a base are shown to raise the held-out loss and none to lower it.

    A change is shown by its p, corrected by Holm's procedure over all of them; two that lead to the same losses count
    once. In part if some raise and some lower it, not if only some lower it. Fewer than ``least`` changes say nothing.
    Changes are those of some factors (:data:`semalign.book.tables.ablations.FACTORS`), on each benchmark.
    """
    named = {each.entry for each in all_changes(load_profile("ablations")) if each.factor in factors}
    found = _losses(patterns)
    pairs = [
        (f"{name.removeprefix(f'{base}-').replace('-', ' ')} on {title(task)}", losses.rows, own.rows)
        for (task, name), losses in found.items()
        if name in named and name.startswith(f"{base}-") and (own := found.get((task, BASES[base]))) is not None
    ]
    pairs = list({rows.tobytes(): (name, rows, own) for name, rows, own in pairs}.values())
    if len(pairs) < least:
        raise NotRunError(f"{len(pairs)} of at least {least} changes of `{base}` on record")
    differences = seeded_bootstraps([(ours, theirs) for _, ours, theirs in pairs])
    changes = [(name, change) for (name, *_), change in zip(pairs, differences, strict=True)]
    shown = [d.value for d, p in zip(differences, holm([d.p for d in differences]), strict=True) if p < ALPHA]
    lower, higher = sum(value < 0 for value in shown), sum(value > 0 for value in shown)
    verdict = (PARTLY if lower else REPRODUCED) if higher else NOT if lower else UNDECIDED
    best = _told(*min(changes, key=lambda each: each[1].value))
    return Finding(verdict, {"lower": lower, "higher": higher, "of": len(changes), "best": best})


def _below(change: Difference) -> bool:
    return change.high < 0


def _above(change: Difference) -> bool:
    return change.low > 0


@rule
def fewer_side_effects(patterns: Sequence[str], *, theirs: Sequence[str], ours: str = PAPER) -> Finding:
    """Reproduced if the loss on tasks that were not trained rises less by ``ours`` than by each of ``theirs``.

    Differences are paired by held-out row; each row counts for the mean over the other tasks that were trained.
    Compared are trainings on tasks on which both methods trained; without one a comparison is open.
    """
    found: dict[str, dict[str, Rises]] = {}
    moved: set[tuple[str, str]] = set()
    for record in records_of(patterns):
        found.setdefault(record["method"], {})[record["task"]] = record["details"]["rises"]
        if _trained(record["task"], record["details"]):
            moved.add((record["method"], record["task"]))
    if absent := [name for name in (ours, *theirs) if name not in found]:
        raise NotRunError(f"no record of {', '.join(absent)}")
    outcomes, lines = list[bool | None](), list[str]()
    for name in theirs:
        trained = [task for task in found[ours] if {(ours, task), (name, task)} <= moved]
        if not trained:
            outcomes.append(None)
            lines.append(f"{name} open, as there is no task on which both trained")
            continue
        own, other = (_rise_elsewhere({task: found[method][task] for task in trained}) for method in (ours, name))
        (change,) = seeded_bootstraps([(own[None], other[None])])
        outcomes.append(True if _below(change) else False if _above(change) else None)
        lines.append(
            f"{_told(name, change)}, trained on {' and '.join(map(title, trained))} ({own.mean():+.4f} by {ours})"
        )
    return Finding(over(outcomes), {"each": "; ".join(lines)})


def _rise_elsewhere(rises: Mapping[str, Rises]) -> Float[ndarray, " rows"]:
    """Return for each row of each task its mean rise over trainings on other tasks, the rows of all tasks together."""
    return np.concatenate(list(_on_others(rises)))


def _trained(task: str, details: Mapping[str, Any]) -> bool:
    """Return whether a training did anything to the loss on its own task, or to the weights.

    Records of side effects do not hold the number of tokens of a row: both losses are means over rows.
    """
    before, rises = details["before_nll"][task], details["rises"][task]
    after = max(0.0, before + float(np.mean(rises)))  # rises are rounded
    nll = HeldOutNll(before=before, after=after, low=None, high=None, n=len(rises), split=None, row_nll=[])
    return bool(Training.model_validate({"weight_change": details["weight_change"], "held_out": nll}).trained)


def _on_others(rises: Mapping[str, Rises]) -> Iterator[Float[ndarray, " rows"]]:
    """Yield for each task the mean rise of its rows over the trainings on other tasks."""
    for task in next(iter(rises.values())):
        others = [rows[task] for trained, rows in rises.items() if trained != task]
        if others:
            yield np.array(others).mean(0)
