"""Tables of paired differences between entries, and what they say of equality, for score and held-out NLL."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from semalign.book.markdown import SPACE, Cell, Interval, rounded
from semalign.book.tables.controls import AS_IT_IS, ONE_SEED, difference, label
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NOT_RUN
from semalign.data.task_file import task_name
from semalign.experiments.profiles import Profile
from semalign.results.pairs import Measure
from semalign.results.records import NONE
from semalign.results.statistics import ALPHA


def pair_table(
    profile: Profile, pairs: Sequence[tuple[str, str]], lines: pd.DataFrame, measure: Measure
) -> pd.DataFrame:
    """Return "ours minus X" with a line for each pair and a column for each task; bold: p, corrected, is below 0.05.

    A difference that rests on one seed says so, and is never bold.

    Args:
        profile: the profile.
        pairs: ours and X.
        lines: see :func:`semalign.results.pairs.pair_differences`.
        measure: what they are compared in.
    """
    return pd.DataFrame(_rows(profile, pairs, lines, partial(difference, decimals=measure.decimals)))


def _rows(
    profile: Profile,
    pairs: Sequence[tuple[str, str]],
    lines: pd.DataFrame,
    cell: Callable[[pd.Series], Interval | Cell | str],
) -> Iterator[dict[str, Any]]:
    """Yield a row for each pair, with what ``cell`` makes of its line for each task, or *not run*."""
    found = {(line["ours"], line["minus"], line["task"]): line for _, line in lines.iterrows()}
    for ours, minus in pairs:
        of = {title(task): found.get((ours, minus, task_name(task))) for task in profile.tasks}
        missing = {title(task): NOT_RUN if profile.teachers_for(task, ours) else "" for task in profile.tasks}
        cells = {name: missing[name] if line is None else cell(line) for name, line in of.items()}
        yield {"entry": label(ours), "minus": AS_IT_IS if minus == NONE else label(minus), **cells}


def equality_table(
    profile: Profile, pairs: Sequence[tuple[str, str]], lines: pd.DataFrame, measure: Measure
) -> pd.DataFrame:
    """Return what two one-sided tests and the corrected differences say of pairs that may be equal.

    A cell has the 90% interval of the difference and a word: *equal* if the interval is inside the margin, *differs* if
    the corrected p is below 0.05, both if a shown difference is smaller than the margin, *open* if neither, *one seed*
    if one of the entries was trained with one seed, which decides nothing.

    Args:
        profile: the profile.
        pairs: ours and X.
        lines: see :func:`semalign.results.pairs.pair_differences`.
        measure: what they are compared in.
    """
    rows = _rows(profile, pairs, lines, partial(_equality, measure))
    return pd.DataFrame([{"measure": measure.name, **row} for row in rows])


def word_table(
    profile: Profile, pairs: Sequence[tuple[str, str]], lines: Mapping[Measure, pd.DataFrame]
) -> pd.DataFrame:
    """Return only the words of :func:`equality_table`, of a student in each measure; marked where neither trained.

    Args:
        profile: the profile.
        pairs: ours and X.
        lines: for each measure, see :func:`semalign.results.pairs.pair_differences`.
    """
    of = [(measure, row) for measure, found in lines.items() for row in _rows(profile, pairs, found, _word)]
    return pd.DataFrame([{"student": profile.student, "measure": measure.name, **row} for measure, row in of])


def _word(line: pd.Series) -> str:
    if line["single"]:
        return ONE_SEED
    words = [word for word, holds in (("equal", line["equal"]), ("differs", line["p_holm"] < ALPHA)) if holds]
    return (" and ".join(words) or "open") + (f"{SPACE}‡" if line["idle"] else "")


def _equality(measure: Measure, line: pd.Series) -> Cell:
    name, found = title(line["task"]), _word(line)
    ends = (rounded(line[end], measure.decimals) for end in ("equal_low", "equal_high"))
    low, high = (f"{end:+.{measure.decimals}f}" for end in ends)
    return Cell(
        f"{found} [{low}, {high}]",
        {name: found, f"{name}, low": line["equal_low"], f"{name}, high": line["equal_high"]},
    )
