"""Whether the patch test of a diagnosis predicts a training: both changes of the loss, place by place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from semalign.analysis.diagnosis.verdict import helpful
from semalign.book.markdown import SPACE, Cell, rounded
from semalign.book.tables.paper import in_order, title
from semalign.book.tables.transfers import NO_NUMBER, NOT_RUN
from semalign.results.clusters import Points, clustered_rank_correlation
from semalign.results.resampling import seeded_bootstrap
from semalign.results.statistics import Estimate

Record = Mapping[str, Any]
GROUP = ["student", "task"]
PLACE = ["teacher", *GROUP, "interface", "map", "teacher_layer", "layer"]
MEASURED = ["change", "trained", "layer"]
TRAINED = ["trained", "trained_low", "trained_high"]
ALL = "all"


def trained_places(records: Iterable[Record], before: Mapping[tuple[str, str], Sequence[float]]) -> pd.DataFrame:
    """Return the change of the held-out NLL by the training of each place, with a paired 95% interval over rows.

    Args:
        records: of a sweep, each with one teacher layer and one student layer.
        before: the NLL of each held-out row by the student as it is, by student and task.
    """
    lines = []
    for record in records:
        settings, details = record["configuration"], record["details"]
        (teacher_layer, _), *more = details["teacher_layers"]
        if more:
            continue
        group = record["student"], record["task"]
        rows = np.array([details["held_out"]["row_nll"]])
        value, low, high, _ = seeded_bootstrap(rows, np.array([before[group]]))
        place = settings["interface"], settings["map"], teacher_layer, details["student_layer"]
        lines.append([record["teacher"], *group, *place, value, low, high])
    return pd.DataFrame(lines, columns=[*PLACE, *TRAINED])


def patched_and_trained(diagnoses: Iterable[Record], trained: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of the patch tests at places that were trained too, with the change that the training made.

    ``helps`` says whether the interval of the patch test's change is below zero, ``chosen`` whether a diagnosis would
    name the place (:func:`semalign.analysis.diagnosis.verdict.helpful`), and ``lowered`` whether the interval of the
    training's change is below zero.

    Args:
        diagnoses: see :func:`semalign.book.tables.premise.diagnoses`.
        trained: see :func:`trained_places`.
    """
    parts = [_patches(record) for record in diagnoses]
    patched = pd.concat(parts) if parts else pd.DataFrame(columns=[*PLACE, "strength", "change", "change_high"])
    both = patched.merge(trained, on=PLACE)
    return both.assign(helps=both["change_high"] < 0, lowered=both["trained_high"] < 0)


def _patches(record: Record) -> pd.DataFrame:
    patches = pd.DataFrame(record["details"]["patches"])
    chosen = patches.index.isin(helpful(patches).index)
    return patches.assign(**{name: record[name] for name in ("teacher", *GROUP)}, chosen=chosen)


def rows_text(diagnoses: Sequence[Record], trained: Sequence[Record], sizes: Iterable[int | None]) -> str:
    """Return in sentences on which rows the patch tests and the trainings were measured.

    Args:
        diagnoses: those whose places were trained too.
        trained: the records of the trainings.
        sizes: the numbers of rows of the trainings.
    """
    rows, measured = (
        _range(found) for found in zip(*((d["configuration"]["rows"], d["n"]) for d in diagnoses), strict=True)
    )
    held_out = [record["details"]["held_out"] for record in trained]
    n, split = _range(each["n"] for each in held_out), _range(each["split"] for each in held_out)
    return (
        f"The two were not measured on the same rows. A diagnosis has the first {rows} training rows of a benchmark: "
        f"the first half fits the maps that need states, and the change of the loss is that of the other {measured}. "
        f"A training has the first {(size := _range(sizes))} training rows, so those of the diagnosis too, and its "
        f"change is that of {n} rows of the {split} split. Maps that are fitted to states are fitted to those {size} "
        "rows there. With permuted atoms the diagnosis has the mean over several permutations, and a training one."
    )


def _range(values: Iterable[Any]) -> str:
    return " to ".join(str(each) for each in sorted(set(values)))


def agreement_table(places: pd.DataFrame) -> pd.DataFrame:
    """Return how far the patch test ranks places as training does, and how often training confirms its help.

    Correlations are Spearman's, with intervals over the layers of a student, each with all its maps. For each strength
    the last line has the mean of the correlations, and the counts, over all students and benchmarks.

    Args:
        places: see :func:`patched_and_trained`.
    """
    return pd.DataFrame([_line(*key, part) for key, part in _parts(places)] or [{"student": NOT_RUN}])


def _parts(places: pd.DataFrame) -> Iterator[tuple[tuple[str, str, Any], pd.DataFrame]]:
    """Yield the places of each strength, student and benchmark; last those of a strength with several of these."""
    ordered = places.sort_values("task", key=in_order, kind="stable").sort_values("student", kind="stable")
    for strength, of in ordered.groupby("strength"):
        groups = dict(list(of.groupby(GROUP, sort=False)))
        yield from (((student, title(task), strength), part) for (student, task), part in groups.items())
        if len(groups) > 1:
            yield (ALL, ALL, strength), of


def _line(student: str, data: str, strength: Any, part: pd.DataFrame) -> dict[str, Any]:
    helping = part[part["helps"]]
    means = {of: helping[of].mean() for of in ("change", "trained")}
    return {
        "student": student,
        "data": data,
        "strength": f"{strength:g}",
        "places": str(len(part)),
        "rank correlation": _ends(_correlation(part)),
        "training lowers": _counted(part),
        "where the patch helps": _counted(helping),
        "where a diagnosis says so": _counted(part[part["chosen"]]),
        "mean there": _arrow(means) if len(helping) else NO_NUMBER,
    }


def _ends(found: Estimate | None) -> Cell | str:
    if found is None:
        return NO_NUMBER
    value, low, high = (f"{rounded(end, 2):+.2f}" for end in found)
    name = "rank correlation"
    return Cell(f"{value} [{low}, {high}]", dict(zip((name, f"{name}, low", f"{name}, high"), found, strict=True)))


def _arrow(means: Mapping[str, float]) -> Cell:
    change, trained = (f"{rounded(mean, 4):+.4f}" for mean in means.values())
    data = {"mean there, patch": means["change"], "mean there, training": means["trained"]}
    return Cell(f"{change}{SPACE}→{SPACE}{trained}", data)


def _counted(part: pd.DataFrame) -> str:
    return f"{int(part['lowered'].sum())} of {len(part)}" if len(part) else NO_NUMBER


def _correlation(part: pd.DataFrame) -> Estimate | None:
    """Return the rank correlation of both changes; None for a group with fewer than two layers or different changes."""
    groups = [group for _, group in part.groupby(GROUP)]
    if min(group[name].nunique() for group in groups for name in MEASURED) < 2:
        return None
    units = [[_points(group) for _, group in of.groupby("task")] for _, of in part.groupby("student")]
    return clustered_rank_correlation(units)


def _points(group: pd.DataFrame) -> Points:
    return Points(*(group[name].tolist() for name in MEASURED))
