"""Tables of results: our scores beside the paper's, gaps to the teacher, and what each method is."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from semalign.experiments.profiles import Profile
from semalign.methods.registry import methods
from semalign.paths import data_dir
from semalign.results.records import NONE, PAPER

NOT_RUN = "not run"
TITLES = {"mmlu": "MMLU", "gsm8k": "GSM8K", "humaneval": "HumanEval", "mbpp": "MBPP"}
PAPER_METHODS = {"Seeking": "seeking", "LaTen": "laten", "SemAlign": PAPER}
PAPER_STUDENT = "Llama2-7B-Chat"


class Row(NamedTuple):
    """One row of Table 1 or 2: what to call it, and which model and teacher it is of."""

    label: str
    method: str
    teacher: str | None
    student: str


Key = tuple[str, str | None, str, str]  # method, teacher, student, title of the benchmark


def title(task: str) -> str:
    """Return the name of the benchmark that a task is or stands for, as the paper has it."""
    return TITLES.get(task.removeprefix("micro_"), task)


def interval(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """Return a number with its interval, to one decimal.

    >>> interval(1.25, 0.0, 2.5)
    '1.2 [0.0, 2.5]'
    """
    sign = "+" if signed else ""
    parts = [f"{0.0 if round(part, 1) == 0 else part:{sign}.1f}" for part in (value, low, high)]
    return parts[0] if low != low else f"{parts[0]} [{parts[1]}, {parts[2]}]"


def transfer_rows(profile: Profile) -> list[str]:
    """Return the rows of Tables 1 and 2: the baselines, SemAlign, and variants that are not variants of a control."""
    baselines = [name for name, method in methods().items() if method.kind == "baseline"]
    varied = [name for name in profile.variants if profile.method_of(name).kind != "control"]
    return list(dict.fromkeys([*baselines, PAPER, *varied]))


def table_rows(profile: Profile, teachers: Sequence[str]) -> list[Row]:
    """Return the rows of a table in the paper's order: the student, then each teacher and the methods from it."""
    rows = [Row(f"{profile.student} (student)", NONE, None, profile.student)]
    for teacher in teachers:
        rows.append(Row(f"{teacher} (teacher)", NONE, None, teacher))
        of = f" from {teacher}" if len(teachers) > 1 else ""
        run = [name for name in transfer_rows(profile) if teacher in _teachers(profile, name)]
        rows += [Row(name + of, name, teacher, profile.student) for name in run]
    return rows


def _teachers(profile: Profile, row: str) -> set[str]:
    return {teacher for task in profile.tasks for teacher in profile.teachers_for(task, row)}


def paper_scores(profile: Profile) -> dict[Key, float]:
    """Return the scores of the paper's Tables 1 and 2, under our names of the models in their place."""
    first, second = (pd.read_csv(data_dir() / "paper" / f"table{number}.csv") for number in (1, 2))
    general = second["teacher"].dropna().iloc[0]
    first["teacher"] = [None if model == PAPER_STUDENT else general for model in first["model"]]
    ours = dict(zip(second["teacher"].dropna().unique(), [profile.teacher, *profile.teachers], strict=False))
    found: dict[Key, float] = {}
    for _, line in pd.concat([second, first]).iterrows():
        row = _row_of(line, ours, profile.student)
        scores = {name: line[name] for name in TITLES.values() if row and pd.notna(line[name])}
        found |= {(*row[1:], name): float(score) for name, score in scores.items()} if row else {}
    return found


def _row_of(line: pd.Series, ours: Mapping[str, str], student: str) -> Row | None:
    """Return whose scores a line of the paper's tables holds; None for a teacher that the profile has not."""
    model, teacher = line["model"], line["teacher"]
    if model == PAPER_STUDENT:
        return Row(model, NONE, None, student)
    if teacher not in ours:
        return None
    if model == teacher:
        return Row(model, NONE, None, ours[teacher])
    return Row(model, PAPER_METHODS[model], ours[teacher], student)


def by_key(frame: pd.DataFrame) -> dict[Key, pd.Series]:
    """Return the lines of a summary or of :func:`semalign.results.comparisons.gaps` by their key."""
    found = {}
    for _, line in frame.iterrows():
        teacher = None if pd.isna(line["teacher"]) else line["teacher"]
        found[line["method"], teacher, line["student"], title(line["task"])] = line
    return found


def scores_beside(
    profile: Profile, scores: pd.DataFrame, rows: Sequence[Row], benchmarks: Sequence[str]
) -> pd.DataFrame:
    """Return a table of scores with the paper's numbers: two columns a benchmark, its paper's and ours.

    Args:
        profile: whose models stand for which of the paper's.
        scores: see :func:`semalign.experiments.runs.summary`.
        rows: see :func:`table_rows`.
        benchmarks: titles.
    """
    paper, here = paper_scores(profile), by_key(scores)
    return _beside(
        rows,
        benchmarks,
        lambda key: f"{paper[key]:.2f}" if key in paper else "–",
        lambda key: interval(*here[key][["value", "low", "high"]]) if key in here else NOT_RUN,
    )


def gaps_beside(profile: Profile, gaps: pd.DataFrame, rows: Sequence[Row], benchmarks: Sequence[str]) -> pd.DataFrame:
    """Return a table of gaps to the teacher in points, and shares of the way gone; arguments as in `scores_beside`.

    ``gaps`` are those of :func:`semalign.results.comparisons.gaps`. Last come the means over the benchmarks of the gap
    without
    its sign, as the paper has them.
    """
    paper, here = paper_scores(profile), by_key(gaps)
    rows = [row for row in rows if row.teacher is not None]

    def paper_gap(key: Key) -> str:
        _, teacher, student, benchmark = key
        if key not in paper:
            return "–"
        goal, start = paper[NONE, None, str(teacher), benchmark], paper[NONE, None, student, benchmark]
        return f"{goal - paper[key]:.2f} ({_whole(100 * (paper[key] - start) / (goal - start))}%)"

    def our_gap(key: Key) -> str:
        if key not in here:
            return NOT_RUN
        share = here[key]["share"]
        return interval(*here[key][["gap", "low", "high"]]) + ("" if share != share else f" ({_whole(share)}%)")

    frame = _beside(rows, benchmarks, paper_gap, our_gap)
    sizes = {key: abs(paper[NONE, None, key[1] or "", key[3]] - value) for key, value in paper.items() if key[1]}
    keys = [[(*row[1:], benchmark) for benchmark in benchmarks] for row in rows]
    frame["mean size, paper"] = [_mean([sizes.get(key) for key in line], 2) or "–" for line in keys]
    found = [[abs(here[key]["gap"]) if key in here else None for key in line] for line in keys]
    frame["mean size, here"] = [_mean(line, 1) or NOT_RUN for line in found]
    return frame


def _beside(
    rows: Sequence[Row], benchmarks: Sequence[str], paper: Callable[[Key], str], here: Callable[[Key], str]
) -> pd.DataFrame:
    lines = []
    for row in rows:
        line: dict[Hashable, str] = {"model": row.label}
        for benchmark in benchmarks:
            key = (*row[1:], benchmark)
            line |= {f"{benchmark}, paper": paper(key), f"{benchmark}, here": here(key)}
        lines.append(line)
    return pd.DataFrame(lines)


def _whole(value: float) -> str:
    return f"{round(value)}"  # never -0


def _mean(values: Sequence[float | None], decimals: int) -> str:
    """Return the mean of values, or nothing if one is not there."""
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.{decimals}f}" if known and len(known) == len(values) else ""


def descriptions() -> dict[str, str]:
    """Return what each method of the registry is, as Markdown."""
    return {name: method.description for name, method in methods().items()}
