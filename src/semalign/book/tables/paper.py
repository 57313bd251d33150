"""The paper's Tables 1 and 2, with the names of our models in place of the paper's."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from semalign.data.task_file import task_name
from semalign.experiments.profiles import Profile
from semalign.paths import data_dir
from semalign.results.records import NONE, PAPER

TITLES = {"mmlu": "MMLU", "gsm8k": "GSM8K", "humaneval": "HumanEval", "mbpp": "MBPP"}
PAPER_METHODS = {"Seeking": "seeking", "LaTen": "laten", "SemAlign": PAPER}
PAPER_STUDENT = "Llama2-7B-Chat"


class Key(NamedTuple):
    """The key of a score: a method or variant, its teacher (None for a model without transfer), student, benchmark."""

    method: str
    teacher: str | None
    student: str
    benchmark: str


class Gap(NamedTuple):
    """The gap between a transfer and its teacher in points, and the share of the gap closed in percent."""

    points: float
    share: float


def title(task: str) -> str:
    """Return the paper's name of the benchmark that a task is, or that a micro task stands for; else its own."""
    name = task_name(task)
    return TITLES.get(name.removeprefix("micro_"), name)


def in_order(tasks: pd.Index | pd.Series) -> pd.Index | pd.Series:
    """Return keys that sort tasks as the paper orders its benchmarks, others after them."""
    places = {name: place for place, name in enumerate(TITLES.values())}
    return tasks.map(lambda task: places.get(title(task), len(places)))


def paper_scores(profile: Profile) -> dict[Key, float]:
    """Return the scores of the paper's Tables 1 and 2, with the profile's models in place of the paper's.

    The profile's teacher replaces the paper's first teacher, and its further teachers the others, in this order.
    Scores of teachers without a counterpart are left out.
    """
    first, second = (pd.read_csv(data_dir() / "paper" / f"table{number}.csv") for number in (1, 2))
    named = second["teacher"].dropna().unique()
    first["teacher"] = named[0]
    ours = dict(zip(named, [profile.teacher, *profile.teachers], strict=False))
    return {key: score for frame in (second, first) for key, score in _scores(frame, ours, profile.student)}


def _scores(frame: pd.DataFrame, ours: Mapping[str, str], student: str) -> Iterator[tuple[Key, float]]:
    """Yield the scores of one of the paper's tables; ``ours`` maps its teachers to the profile's."""
    for _, line in frame.iterrows():
        for benchmark in TITLES.values():
            if benchmark not in line or pd.isna(line[benchmark]):
                continue
            if line["model"] == PAPER_STUDENT:
                yield Key(NONE, None, student, benchmark), float(line[benchmark])
            elif line["teacher"] in ours:
                yield _key(line, ours[line["teacher"]], student, benchmark), float(line[benchmark])


def _key(line: pd.Series, teacher: str, student: str, benchmark: str) -> Key:
    """Return the key of a teacher's own score, or of a method that transfers from it."""
    if line["model"] == line["teacher"]:
        return Key(NONE, None, teacher, benchmark)
    return Key(PAPER_METHODS[line["model"]], teacher, student, benchmark)


def paper_gaps(scores: Mapping[Key, float]) -> dict[Key, Gap]:
    """Return the gap to the teacher of each transfer in the paper's tables; ``scores`` as in :func:`paper_scores`."""
    gaps = {}
    for key, score in scores.items():
        if key.teacher is not None:
            goal = scores[Key(NONE, None, key.teacher, key.benchmark)]
            start = scores[Key(NONE, None, key.student, key.benchmark)]
            gaps[key] = Gap(goal - score, 100 * (score - start) / (goal - start))
    return gaps
