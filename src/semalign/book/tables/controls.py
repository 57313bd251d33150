"""Tables of all methods and variants: descriptions, scores from each teacher, and "SemAlign minus X"."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from semalign.book.markdown import SPACE, Interval, settings_text
from semalign.book.tables.paper import Key, title
from semalign.book.tables.transfers import NAMES, NOT_RUN, by_key, score_cell
from semalign.data.task_file import task_name
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import Profile
from semalign.methods.registry import methods
from semalign.results.records import NONE
from semalign.results.statistics import ALPHA

AS_IT_IS, ONE_SEED = "student as it is", "one seed"


def descriptions() -> dict[str, str]:
    """Return the description of each method of the registry, as Markdown."""
    return {name: method.description for name, method in methods().items()}


def label(entry: str) -> str:
    """Return what tables call an entry: the paper's methods by the paper's names, all others by their own.

    >>> label("seeking"), label("sft")
    ('Seeking', 'sft')
    """
    return NAMES.get(entry, entry)


def kind_of(entry: str) -> str:
    """Return the kind of a method, or ``variant`` for a variant."""
    return methods()[entry].kind if entry in methods() else "variant"


def method_table(profile: Profile) -> pd.DataFrame:
    """Return a description and the source of each method and variant."""
    known = descriptions()
    lines = []
    for name in entries_of(profile, ["all"]):
        method = profile.method_of(name)
        changed = profile.variants[name].settings_for("all") if name in profile.variants else {}
        what = known.get(name, f"`{method.name}` with settings chosen on validation data.")
        lines.append(
            {
                "name": f"{label(name)} (`{name}`)" if name in NAMES else name,
                "kind": method.kind if name in known else f"variant of {method.name}",
                "after": f"{{cite}}`{method.citation}`",
                "what it is": what + (f" Always: {settings_text(changed)}." if changed else ""),
            }
        )
    return pd.DataFrame(lines)


class Column(NamedTuple):
    """One column of a table: a task, scored after a transfer from a teacher."""

    name: str
    teacher: str
    task: str


def columns(profile: Profile, teachers: Sequence[str]) -> list[Column]:
    """Return a column for each task of each teacher; with several teachers, its name includes the teacher."""
    return [
        Column(title(task) + (f", {teacher}" if len(teachers) > 1 else ""), teacher, task)
        for teacher in teachers
        for task in profile.tasks
        if teacher in profile.teachers_for(task)
    ]


def entries_from(profile: Profile, teachers: Sequence[str]) -> list[str]:
    """Return the methods and variants that run from at least one of these teachers, the paper's three first."""
    known = entries_of(profile, ["all"])
    return [
        name
        for name in sorted(known, key=[*NAMES, *known].index)
        if any(teacher in profile.teachers_for(task, name) for teacher in teachers for task in profile.tasks)
    ]


def control_table(profile: Profile, scores: pd.DataFrame, teachers: Sequence[str]) -> pd.DataFrame:
    """Return the scores of the student, of these teachers, and of every entry that runs from them.

    Args:
        profile: the profile.
        scores: see :func:`semalign.experiments.runs.summary`.
        teachers: teachers of the profile.
    """
    found, asked, student = by_key(scores), columns(profile, teachers), profile.student
    teacher_name = "its teacher" if len(teachers) > 1 else f"{profile.teacher} (teacher)"
    own = {"kind": "as it is", "seeds": NO_SEEDS}
    lines: list[dict[str, str | Interval]] = []
    for name, model in ((f"{student} (student)", student), (teacher_name, None)):
        keys = {column.name: Key(NONE, None, model or column.teacher, title(column.task)) for column in asked}
        lines.append({"name": name, **own, **{column: score_cell(found.get(key)) for column, key in keys.items()}})
    for name in entries_from(profile, teachers):
        keys = {column.name: Key(name, column.teacher, student, title(column.task)) for column in asked}
        seeds = sorted({found[key]["seeds"] for key in found if key.method == name and key.teacher in teachers})
        line = {"name": label(name), "kind": kind_of(name), "seeds": " to ".join(map(str, seeds)) or NO_SEEDS}
        lines.append({**line, **{column: score_cell(found.get(key)) for column, key in keys.items()}})
    return pd.DataFrame(lines)


NO_SEEDS = "–"


def difference_table(profile: Profile, ours: str, differences: pd.DataFrame, teachers: Sequence[str]) -> pd.DataFrame:
    """Return "ours minus X" with one line for each X and one column for each task of each teacher.

    Args:
        profile: the profile.
        ours: a method or variant.
        differences: see :func:`semalign.results.comparisons.differences`.
        teachers: teachers of the profile.
    """
    asked = columns(profile, teachers)
    cells = {(line["minus"], line["teacher"], line["task"]): difference(line) for _, line in differences.iterrows()}
    lines = []
    for other in [NONE, *(name for name in entries_from(profile, teachers) if name != ours)]:
        found = {column.name: cells.get((other, column.teacher, task_name(column.task)), NOT_RUN) for column in asked}
        lines.append({"minus": AS_IT_IS if other == NONE else label(other), **found})
    return pd.DataFrame(lines)


def chosen_differences(
    profile: Profile, differences: Mapping[str, pd.DataFrame], pairs: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return "ours minus X" with one line for each pair and one column for each task, from the general teacher.

    Args:
        profile: the profile.
        differences: of each of ours, see :func:`semalign.results.comparisons.differences`.
        pairs: ours and X.
    """
    lines = []
    for ours, other in pairs:
        found = differences.get(ours, next(iter(differences.values())).iloc[:0])
        row = difference_table(profile, ours, found, [profile.teacher]).set_index("minus").loc[label(other)]
        lines.append({"entry": label(ours), "minus": label(other), **row})
    return pd.DataFrame(lines)


def difference(line: pd.Series, decimals: int = 1) -> Interval:
    """Return a line of differences as a cell, bold where the corrected p is below 0.05, with a note if of one seed.

    Args:
        line: see :func:`semalign.results.pairs.pair_differences` or
            :func:`semalign.results.comparisons.differences`.
        decimals: number of decimals.
    """
    numbers = line["difference"], line["low"], line["high"]
    note = f"{SPACE}({ONE_SEED})" if line["single"] else ""
    return Interval(*numbers, signed=True, decimals=decimals, bold=bool(line["p_holm"] < ALPHA), note=note)


def difference_tables(
    profile: Profile, ours: str, differences: pd.DataFrame
) -> Iterator[tuple[str, list[str], pd.DataFrame]]:
    """Yield the tables of "ours minus X": a suffix for the table's name, the teachers, and the table.

    One table is for the general teacher and one for the other teachers, each only if it has records.
    """
    for suffix, teachers in {"": [profile.teacher], "-code": list(profile.teachers)}.items():
        if differences["teacher"].isin(teachers).any():
            yield suffix, teachers, difference_table(profile, ours, differences, teachers)
