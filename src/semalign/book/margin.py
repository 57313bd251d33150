"""How coarse the margin of equality is: its share of what labels alone gain, and of the loss that they leave."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from semalign.book.markdown import Markdown
from semalign.book.tables.paper import in_order, title
from semalign.book.tables.transfers import NOT_RUN
from semalign.results.pairs import NLL


def margin_shares(lines: pd.DataFrame, entry: str) -> pd.DataFrame:
    """Return the margin of the held-out NLL in percent of two losses, for each benchmark in the paper's order.

    ``gain`` is how far training on labels lowers the loss, in nats per token, ``of_gain`` the margin's share of that,
    NaN where it does not lower the loss, and ``of_rest`` the margin's share of the loss after it.

    Args:
        lines: see :func:`semalign.book.tables.trainings.training_lines`.
        entry: the entry that trains on labels alone.
    """
    labels = lines[lines["entry"] == entry].dropna(subset=["nll", "nll_before"])
    labels = labels.sort_values("task", key=in_order, kind="stable").reset_index(drop=True)
    gain, rest = (labels["nll_before"] - labels["nll"]).astype(float), labels["nll"].astype(float)
    of_gain = (100 * NLL.margin / gain).where(gain > 0)
    return pd.DataFrame({"task": labels["task"], "gain": gain, "of_gain": of_gain, "of_rest": 100 * NLL.margin / rest})


def margin_text(students: Mapping[str, pd.DataFrame], entry: str) -> Markdown:
    """Return in sentences how coarse the margin is for each student.

    Args:
        students: for each student, see :func:`semalign.book.tables.trainings.training_lines`.
        entry: the entry that trains on labels alone.
    """
    found = {student: margin_shares(lines, entry) for student, lines in students.items()}
    said = "; ".join(
        f"{student}: {', '.join(map(_share, of.itertuples())) or NOT_RUN}" for student, of in found.items()
    )
    return Markdown(
        f"To judge the margin of {NLL.margin:g} {NLL.unit}: it is, as a share of what labels alone (`{entry}`) gain / "
        f"of the loss that they leave, {said}. The larger the first share, the less *equal* says of a loss; above 100% "
        "an entry that gains nothing may still be equal to labels."
    )


def _share(line: Any) -> str:
    gain = "no gain" if pd.isna(line.of_gain) else _percent(line.of_gain)
    return f"{title(line.task)} {gain} / {_percent(line.of_rest)}"


def _percent(share: float) -> str:
    return f"{share:.0f}%" if share >= 0.5 else "under 1%"
