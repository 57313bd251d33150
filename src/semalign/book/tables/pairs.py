"""Tables of paired differences between entries, and what they say of equality, for score and held-out NLL."""

from collections.abc import Sequence

import pandas as pd

from semalign.book.markdown import Cell, Interval
from semalign.book.tables.controls import ALPHA, AS_IT_IS
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NOT_RUN
from semalign.experiments.profiles import Profile
from semalign.results.pairs import Measure
from semalign.results.records import NONE


def pair_table(
    profile: Profile, pairs: Sequence[tuple[str, str]], lines: pd.DataFrame, measure: Measure
) -> pd.DataFrame:
    """Return "ours minus X" with a line for each pair and a column for each task; bold: p, corrected, is below 0.05.

    Args:
        profile: the profile.
        pairs: ours and X.
        lines: see :func:`semalign.results.pairs.pair_differences`.
        measure: what they are compared in.
    """
    found = {(line["ours"], line["minus"], line["task"]): line for _, line in lines.iterrows()}
    rows = []
    for ours, minus in pairs:
        cells = {title(task): _difference(found.get((ours, minus, task)), measure) for task in profile.tasks}
        rows.append({"ours": ours, "minus": AS_IT_IS if minus == NONE else minus, **cells})
    return pd.DataFrame(rows)


def _difference(line: pd.Series | None, measure: Measure) -> str | Interval:
    if line is None:
        return NOT_RUN
    clear = bool(line["p_holm"] < ALPHA)
    return Interval(line["difference"], line["low"], line["high"], signed=True, decimals=measure.decimals, bold=clear)


def equality_table(
    profile: Profile, pairs: Sequence[tuple[str, str]], lines: pd.DataFrame, measure: Measure
) -> pd.DataFrame:
    """Return what two one-sided tests and the corrected differences say of pairs that may be equal.

    A cell has the 90% interval of the difference and a word: *equal* if the interval is inside the margin, *differs* if
    the corrected p is below 0.05, both if a shown difference is smaller than the margin, *open* if neither.

    Args:
        profile: the profile.
        pairs: ours and X.
        lines: see :func:`semalign.results.pairs.pair_differences`.
        measure: what they are compared in.
    """
    found = {(line["ours"], line["minus"], line["task"]): line for _, line in lines.iterrows()}
    rows = []
    for ours, minus in pairs:
        cells = {title(task): _equality(title(task), found.get((ours, minus, task)), measure) for task in profile.tasks}
        rows.append({"measure": measure.name, "ours": ours, "minus": minus, **cells})
    return pd.DataFrame(rows)


def _equality(name: str, line: pd.Series | None, measure: Measure) -> str | Cell:
    if line is None:
        return NOT_RUN
    low, high = (f"{line[end] + 0.0:+.{measure.decimals}f}" for end in ("equal_low", "equal_high"))
    words = [word for word, holds in (("equal", line["equal"]), ("differs", line["p_holm"] < ALPHA)) if holds]
    found = " and ".join(words) or "open"
    return Cell(
        f"{found} [{low}, {high}]",
        {name: found, f"{name}, low": line["equal_low"], f"{name}, high": line["equal_high"]},
    )
