"""Two notes on the numbers of the paper's Tables 1 and 2: shares of the gap closed, and counts with standard errors."""

import math
from itertools import product
from typing import NamedTuple

import pandas as pd

from semalign.book.markdown import table
from semalign.book.tables.paper import PAPER_STUDENT, TITLES
from semalign.paths import data_dir
from semalign.planning.texts import ASSUMED

HALF = 0.005  # of the last digit of a score
SHARE = 0.7
SAMPLES = {"humaneval": 20}  # answers to each item, which two scores of HumanEval need and no whole count has
OURS, FIRST_TEACHER = "SemAlign", "Llama2-13B-Chat"


class Share(NamedTuple):
    """The share of the gap that a transfer closed, with the window that the rounding of the three scores leaves."""

    value: float
    low: float
    high: float


def share(student: float, teacher: float, score: float) -> Share:
    """Return ``(score - student) / (teacher - student)``, with its ends over scores that give these two decimals.

    >>> share(10.0, 20.0, 17.0)
    Share(value=0.7, low=0.699, high=0.701)
    """
    steps = product((-HALF, HALF), repeat=3)
    ends = [(score + c - student - a) / (teacher + b - student - a) for a, b, c in steps]
    return Share(*(round(each, 4) for each in ((score - student) / (teacher - student), min(ends), max(ends))))


def shares_table() -> str:
    """Return the note on the shares of Table 1, with those of Table 2 for comparison, in MyST."""
    first = pd.read_csv(data_dir() / "paper" / "table1.csv").set_index("model")
    scores = first.loc[[PAPER_STUDENT, FIRST_TEACHER, OURS]]
    found, other = {name: share(*scores[name]) for name in scores}, _further_shares()
    lines = [_line(name, scores[name], found[name]) for name in scores]
    note = (
        f"{_agreement(scores)} ({{numref}}`tab-paper-shares`). In Table 2, from the further teachers, the shares are "
        f"{min(other):.2f} to {max(other):.2f}. This is arithmetic on the published numbers; it does not say how they "
        "came about."
    )
    caption = (
        "Shares of the gap that SemAlign closes in Table 1, with the lowest and the highest that the rounding of "
        f"the three scores leaves, and the score that a share of {SHARE:.2f} would give."
    )
    return f"{note}\n\n{table(pd.DataFrame(lines), caption, 'tab-paper-shares').text}"


def _at_share(student: float, teacher: float) -> float:
    return student + SHARE * (teacher - student)


def _agreement(scores: pd.DataFrame) -> str:
    """Say on how many benchmarks the score is that of the share to two decimals, and how far off the others are."""
    apart = {name: round(score - round(_at_share(s, t), 2), 2) for name, (s, t, score) in scores.items()}
    others = [f"on {name} it is {abs(d):.2f} {'higher' if d > 0 else 'lower'}" for name, d in apart.items() if d]
    return (
        f"On {len(apart) - len(others)} of {len(apart)} benchmarks of Table 1, SemAlign's score is, to two decimals, "
        f"the student's plus {SHARE:.2f} times the gap to the teacher" + "".join(f"; {each}" for each in others)
    )


def _line(name: str, scores: pd.Series, found: Share) -> dict[str, str]:
    student, teacher, score = scores
    return {
        "benchmark": name,
        "student": f"{student:.2f}",
        "teacher": f"{teacher:.2f}",
        "SemAlign": f"{score:.2f}",
        "share": f"{found.value:.4f}",
        "lowest": f"{found.low:.4f}",
        "highest": f"{found.high:.4f}",
        f"at {SHARE:.2f}": f"{_at_share(student, teacher):.3f}",
    }


def _further_shares() -> list[float]:
    """Return SemAlign's shares from the further teachers of Table 2."""
    second = pd.read_csv(data_dir() / "paper" / "table2.csv").set_index("model")
    further = [name for name in second["teacher"].dropna().unique() if name != FIRST_TEACHER]
    ours = second.loc[OURS].set_index("teacher")
    return [
        share(second.loc[PAPER_STUDENT, name], second.loc[teacher, name], ours.loc[teacher, name]).value
        for teacher in further
        for name in TITLES.values()
        if name in second
    ]


def count(score: float, n: int) -> int | None:
    """Return the k for which ``k / n`` is a score in percent, rounded to two decimals; None if there is none.

    >>> count(16.07, 1319), count(28.23, 1319)
    (212, None)
    """
    k = round(score * n / 100)
    return k if abs(100 * k / n - score) <= HALF + 1e-9 else None


def counts_table() -> str:
    """Return the note on counts and standard errors of Table 1, in MyST; MMLU has so many items that all scores fit."""
    first = pd.read_csv(data_dir() / "paper" / "table1.csv")
    tasks = {task: ASSUMED[task][0] for task in TITLES if task != "mmlu"}
    lines = [
        {"benchmark": TITLES[task], "model": line["model"], **_counted(line[TITLES[task]], n, task)}
        for (task, n), (_, line) in product(tasks.items(), first.iterrows())
    ]
    sizes = ", ".join(f"{n:,} of {TITLES[task]}" for task, n in tasks.items())
    note = (
        "The paper gives one score for each cell, without intervals. Where a score is a whole number of right answers "
        f"over the items of the test split ({sizes}; for HumanEval {SAMPLES['humaneval']} samples an item), the table "
        "gives that number; where none fits, which a dash says, the score may be a mean over several runs, or of "
        "other items. "
        "A standard error is that of a proportion over the items. A difference of two scores has "
        "the root of the sum of both squares where the scores are independent, and less where they are paired by item. "
        "Our own tables give 95% intervals over items or seeds."
    )
    caption = (
        "Scores of Table 1 as counts of right answers, where one fits the score's two decimals, and the standard error "
        "of the score in points."
    )
    return f"{note}\n\n{table(pd.DataFrame(lines), caption, 'tab-paper-counts').text}"


def _counted(score: float, n: int, task: str) -> dict[str, str]:
    answers = n * SAMPLES.get(task, 1)
    found, error = count(score, answers), 100 * math.sqrt(score / 100 * (1 - score / 100) / n)
    return {
        "score": f"{score:.2f}",
        "right answers": "–" if found is None else f"{found:,}",
        "answers": f"{answers:,}",
        "standard error": f"{error:.1f}",
    }
