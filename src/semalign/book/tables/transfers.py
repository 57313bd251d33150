"""Tables 1 and 2: our scores and gaps next to the paper's, and the best method of each task."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from semalign.book.markdown import SPACE, Cell, Interval, rounded
from semalign.book.tables.paper import PAPER_METHODS, Key, paper_gaps, paper_scores, title
from semalign.data.task_file import task_name
from semalign.experiments.cells import cells
from semalign.experiments.profiles import Profile
from semalign.results.records import NONE

NOT_RUN = "not run"
NO_NUMBER = "–"  # the paper has none
UNTRAINED = "‡: no run of this entry trained the student, and the score is about the student's own."
NAMES = {name: label for label, name in PAPER_METHODS.items()}  # the paper's names of its methods


class Entry(NamedTuple):
    """An entry of Table 1 or 2: its label, method, teacher and student."""

    label: str
    method: str
    teacher: str | None
    student: str

    def key(self, benchmark: str) -> Key:
        """Return the key of its score on a benchmark."""
        return Key(self.method, self.teacher, self.student, benchmark)


def transfer_entries(profile: Profile) -> list[str]:
    """Return the transfers of Tables 1 and 2: the paper's methods in its order, and their variants; no controls'.

    A variant with another map is a control, too.
    """
    varied = [name for name in profile.variants if profile.method_of(name).kind != "control"]
    return list(dict.fromkeys([*PAPER_METHODS.values(), *(name for name in varied if has_own_map(profile, name))]))


def has_own_map(profile: Profile, entry: str) -> bool:
    """Return whether an entry has the map of its method on every task of a profile."""
    given = [profile.settings_for(task, entry).get("map") for task in profile.tasks]
    own = profile.method_of(entry).settings.model_fields.get("map")
    return all(value is None or (own is not None and value == own.default) for value in given)


def table_entries(profile: Profile, teachers: Sequence[str]) -> list[Entry]:
    """Return the entries of a table in the paper's order: the student, then each teacher and the methods from it."""
    entries = [Entry(f"{profile.student} (student)", NONE, None, profile.student)]
    for teacher in teachers:
        entries.append(Entry(f"{teacher} (teacher)", NONE, None, teacher))
        run = [name for name in transfer_entries(profile) if teacher in _teachers(profile, name)]
        entries += [Entry(NAMES.get(name, name), name, teacher, profile.student) for name in run]
    return entries


def _teachers(profile: Profile, entry: str) -> set[str]:
    return {teacher for task in profile.tasks for teacher in profile.teachers_for(task, entry)}


def by_key(frame: pd.DataFrame) -> dict[Key, pd.Series]:
    """Return the lines of a summary or of :func:`semalign.results.comparisons.gaps` by their key."""
    found = {}
    for _, line in frame.iterrows():
        teacher = None if pd.isna(line["teacher"]) else line["teacher"]
        found[Key(line["method"], teacher, line["student"], title(line["task"]))] = line
    return found


def score_cell(line: pd.Series | None) -> str | Interval:
    """Return a line of a summary as a score with its interval, marked if no run trained the student, or "not run"."""
    if line is None:
        return NOT_RUN
    mark = f"{SPACE}‡" if line["idle"] == line["seeds"] else ""
    return Interval(line["value"], line["low"], line["high"], note=mark)


def score_table(
    profile: Profile, scores: pd.DataFrame, entries: Sequence[Entry], benchmarks: Sequence[str]
) -> pd.DataFrame:
    """Return a table of scores with two columns for each benchmark: the paper's number and ours.

    Args:
        profile: profile whose models replace the paper's.
        scores: see :func:`semalign.experiments.runs.summary`.
        entries: see :func:`table_entries`.
        benchmarks: titles.
    """
    paper = {key: Interval(score, decimals=2) for key, score in paper_scores(profile).items()}
    here = {key: score_cell(line) for key, line in by_key(scores).items()}
    return _side_by_side(entries, benchmarks, paper, here)


def gap_table(
    profile: Profile, gaps: pd.DataFrame, entries: Sequence[Entry], benchmarks: Sequence[str]
) -> pd.DataFrame:
    """Return a table of gaps to the teacher in points, with the share of the gap closed.

    The last columns are means of the absolute gap over the benchmarks, as in the paper.

    Args:
        profile: profile whose models replace the paper's.
        gaps: see :func:`semalign.results.comparisons.gaps`.
        entries: see :func:`table_entries`; those without a teacher are left out.
        benchmarks: titles.
    """
    paper, here = paper_gaps(paper_scores(profile)), by_key(gaps)
    entries = _with_teachers([entry for entry in entries if entry.teacher is not None])
    theirs = {key: Interval(gap.points, decimals=2, note=f" ({_whole(gap.share)}%)") for key, gap in paper.items()}
    frame = _side_by_side(entries, benchmarks, theirs, {key: _gap_cell(line) for key, line in here.items()})
    paper_sizes = {key: abs(gap.points) for key, gap in paper.items()}
    our_sizes = {key: abs(line["gap"]) for key, line in here.items()}
    keys = [[entry.key(benchmark) for benchmark in benchmarks] for entry in entries]
    frame["mean size, paper"] = [_mean(paper_sizes, line, 2) or NO_NUMBER for line in keys]
    frame["mean size, here"] = [_mean(our_sizes, line, 1) or NOT_RUN for line in keys]
    return frame


def _with_teachers(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return entries whose labels name the teacher where there are several, since its own line is not there."""
    if len({entry.teacher for entry in entries}) <= 1:
        return entries
    return [entry._replace(label=f"{entry.label} from {entry.teacher}") for entry in entries]


def _gap_cell(line: pd.Series) -> Interval:
    share = "" if pd.isna(line["share"]) else f" ({_whole(line['share'])}%)"
    return Interval(line["gap"], line["low"], line["high"], note=share)


def _whole(value: float) -> str:
    return f"{round(value)}"  # never -0


def _mean(sizes: Mapping[Key, float], keys: Sequence[Key], decimals: int) -> str:
    """Return the mean of some sizes as text; the text is empty if a size is missing."""
    known = [sizes[key] for key in keys if key in sizes]
    return size_text(sum(known) / len(known), decimals) if known and len(known) == len(keys) else ""


def size_text(mean: float, decimals: int) -> str:
    """Return a mean gap as text; halves go up, as in the paper, in whatever order its sum was taken.

    >>> size_text(25.15 - 1e-14, 1), size_text(25.15 + 1e-14, 1)
    ('25.2', '25.2')
    """
    return f"{rounded(mean + 1e-9, decimals):.{decimals}f}"


def _side_by_side(
    entries: Sequence[Entry],
    benchmarks: Sequence[str],
    paper: Mapping[Key, Interval],
    here: Mapping[Key, str | Interval],
) -> pd.DataFrame:
    lines = []
    for entry in entries:
        named = {"model": entry.label, "method": entry.method, "teacher": entry.teacher, "student": entry.student}
        line: dict[str, str | Interval | Cell] = {"model": Cell(entry.label, named)}
        for benchmark in benchmarks:
            key = entry.key(benchmark)
            line[f"{benchmark}, paper"] = paper.get(key, NO_NUMBER)
            line[f"{benchmark}, here"] = here.get(key, NOT_RUN)
        lines.append(line)
    return pd.DataFrame(lines)


def record_counts(profile: Profile, current: set[str]) -> pd.DataFrame:
    """Return how many records of each transfer of Tables 1 and 2 are current, out of how many.

    Args:
        profile: the profile.
        current: file names of the records that are current; see :func:`semalign.experiments.currency.current`.
    """
    lines = []
    for name in transfer_entries(profile):
        asked = [cell.file_name for cell in cells(profile, [name]) if cell.method == name]
        found = len(current.intersection(asked))
        lines.append({"entry": NAMES.get(name, name), "records": found, "of": len(asked)})
    return pd.DataFrame(lines)


def lead_table(profile: Profile, scores: pd.DataFrame) -> pd.DataFrame:
    """Return, for each task and teacher, the ranking of the paper's three methods by mean score."""
    lines = []
    compared = scores[scores["method"].isin(PAPER_METHODS.values())]
    for task in profile.tasks:
        for teacher in profile.teachers_for(task):
            part = compared[(compared["task"] == task_name(task)) & (compared["teacher"] == teacher)]
            ranked = part.sort_values("value", ascending=False)
            found = dict(zip(ranked["method"].map(NAMES), ranked["value"], strict=True))
            lines.append(
                {
                    "benchmark": title(task),
                    "teacher": teacher,
                    "highest": ", ".join(name for name, value in found.items() if value == max(found.values())),
                    "order": Cell(" > ".join(f"{m}{SPACE}{v:.1f}" for m, v in found.items()), found),
                    "not run": ", ".join(sorted(set(PAPER_METHODS) - set(found))),
                }
            )
    shown = pd.DataFrame(lines, columns=["benchmark", "teacher", "highest", "order", "not run"])
    return shown if shown["not run"].any() else shown.drop(columns="not run")
