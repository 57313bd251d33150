"""Table of training rows: with few rows, or with the teacher's answers, does the layer term add to its controls?"""

from itertools import product
from typing import NamedTuple

import pandas as pd

from semalign.book.tables.ablations import difference_cell
from semalign.book.tables.paper import title
from semalign.book.tables.transfers import NOT_RUN
from semalign.experiments.profiles import Profile
from semalign.results.pairs import lines_of
from semalign.results.statistics import ALPHA


class Contrast(NamedTuple):
    """Two entries at the same training rows; ``ours`` and ``minus`` begin their names, and name both at all rows."""

    ours: str
    minus: str
    ours_at_all: str
    minus_at_all: str


CONTRASTS = {
    "layer term and labels, minus labels": Contrast("both", "labels", "both", "both-weight-0"),
    "the same with permuted atoms": Contrast("permuted-both", "labels", "both-permuted", "both-weight-0"),
    "the same, logit-preserving": Contrast("least-squares-both", "labels", "both-least-squares", "both-weight-0"),
    "layer term alone, minus permuted atoms": Contrast("alone", "permuted-alone", "alone", "alone-permuted"),
}
REGIMES = {
    "32 rows": "32-rows", "100 rows": "100-rows", "300 rows": "300-rows", "1,000 rows": "",
    "teacher's answers": "teacher-answers", "teacher's answers, KL": "teacher-answers-by-KL",
}  # fmt: skip


def _pair(contrast: Contrast, regime: str) -> tuple[str, str]:
    """Return the two entries of a contrast at some training rows."""
    suffix = REGIMES[regime]
    if not suffix:
        return contrast.ours_at_all, contrast.minus_at_all
    return f"{contrast.ours}-{suffix}", f"{contrast.minus}-{suffix}"


def tried(profile: Profile) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the pairs of entries that a profile has, by contrast and regime."""
    every = {(name, regime): _pair(contrast, regime) for name, contrast in CONTRASTS.items() for regime in REGIMES}
    return {key: pair for key, pair in every.items() if set(pair) <= set(profile.variants)}


def regime_data(profile: Profile, lines: pd.DataFrame) -> pd.DataFrame:
    """Return differences in held-out loss: the lines of the contrasts, with ``contrast`` and ``regime``.

    Args:
        profile: the profile of the ablations.
        lines: see :func:`semalign.book.tables.ablations.compared`, with the pairs of :func:`tried`.
    """
    places = {pair: key for key, pair in tried(profile).items()}
    made = lines_of(lines, places)
    found = [places[pair] for pair in zip(made["ours"], made["minus"], strict=True)]
    return made.assign(contrast=[name for name, _ in found], regime=[regime for _, regime in found])


def regime_table(profile: Profile, lines: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each benchmark and kind of rows, a column for each contrast, bold where p is below 0.05.

    A contrast that is not tried with some rows is blank there; rows that none is tried with have no line.

    Args:
        profile: the profile of the ablations.
        lines: see :func:`regime_data`.
    """
    found = {(line["task"], line["contrast"], line["regime"]): line for _, line in lines.iterrows()}
    asked, table = tried(profile), []
    for task, regime in product(profile.tasks, REGIMES):
        cells = {
            name: difference_cell(found.get((task, name, regime))) if (name, regime) in asked else ""
            for name in CONTRASTS
        }
        if not any(cells.values()):
            continue
        table.append({"benchmark": title(task), "training rows": regime, **cells})
    return pd.DataFrame(table)


def regime_reading(lines: pd.DataFrame) -> str:
    """Return a list, in Markdown, of the rows with which each contrast is clearly below and above zero."""
    texts = []
    for contrast, task in product(CONTRASTS, dict.fromkeys(lines["task"])):
        part = lines[(lines["contrast"] == contrast) & (lines["task"] == task)]
        clear = part[part["p_holm"] < ALPHA]
        sides = {"lower": clear[clear["difference"] < 0], "higher": clear[clear["difference"] > 0]}
        said = [f"clearly {side} with {', '.join(of['regime'])}" for side, of in sides.items() if len(of)]
        single = int(part["single"].sum())
        rest = len(part) - len(clear) - single
        said += [f"neither with {'the other ' if said else 'any of '}{rest}"] if rest else []
        said += [f"one seed with {single}"] if single else []
        texts.append(f"- *{contrast.capitalize()}*, {title(task)}: {'; '.join(said) or NOT_RUN}.")
    return "\n".join(texts) or f"*{NOT_RUN}*"
