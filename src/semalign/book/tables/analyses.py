"""Tables of the chapters on the method: bases, frames and critical layers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from semalign.bases.basis import SemanticBasis
from semalign.bases.frames import random_basis_cosine
from semalign.book.markdown import SPACE, Cell
from semalign.book.tables.paper import title
from semalign.targets.pairing import student_layer

BASES = {"output": "output side", "input": "input side", "random": "random, as many", "random-64": "random, only 64"}


def basis_checks(bases: Mapping[str, SemanticBasis], checks: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return one line for each basis with its size and checks; small errors are in scientific notation."""
    lines = []
    for name, basis in bases.items():
        m, width = basis.vectors.shape
        texts = {key: f"{value:.1e}" if value < 1e-2 else value for key, value in checks[name].items()}
        lines.append({"model": name, "atoms m": m, "width D": width, "rank": basis.rank, **texts})
    return pd.DataFrame(lines)


def random_frames(curves: pd.DataFrame, bases: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return how well directions of layer outputs are preserved, next to the values expected from the frame alone.

    Args:
        curves: see :func:`semalign.analysis.decomposition.resultant_cosine`.
        bases: size and frame numbers of each basis, from ``details.bases`` of the record of the curves.
    """
    lines = []
    for name, basis in bases.items():
        measured = curves[(curves["basis"] == name) & (curves["interface"] == "layer")]["cosine"]
        lines.append(
            {
                "basis": BASES.get(name, name),
                "m": basis["m"],
                "measured: mean": measured.mean(),
                "lowest over layers": measured.min(),
                "highest over layers": measured.max(),
                "by the frame's shape alone": basis["isotropic_cosine"],
                "random vectors, expected": random_basis_cosine(basis["m"], basis["width"]),
            }
        )
    return pd.DataFrame(lines)


def critical_layers(scores: pd.DataFrame, n_teacher: int, n_student: int) -> pd.DataFrame:
    """Return the critical teacher layer and the student layer paired with it, one column for each interface.

    Args:
        scores: one line for each ``task``, ``interface``, ``aggregation`` and ``layer``, with its ``score``; and for
            each ``method``, if several attribute.
        n_teacher: number of teacher layers, L_T.
        n_student: number of student layers, L_S.
    """
    lines, keys = [], [key for key in ("task", "method", "aggregation") if key in scores]
    for values, part in scores.groupby(keys, sort=False):
        line: dict[str, Any] = dict(zip(keys, values, strict=True))
        line["task"] = title(line["task"])
        for interface in dict.fromkeys(scores["interface"]):
            found = part[part["interface"] == interface]
            layer = int(found.loc[found["score"].idxmax(), "layer"])
            line[interface] = layers(layer, student_layer(layer, n_teacher, n_student), f"{interface}, ")
        lines.append(line)
    return pd.DataFrame(lines)


def recorded_scores(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return the scores of a record of ``benchmarks/attribution_choices.py`` as :func:`critical_layers` takes them."""
    return pd.DataFrame(
        {
            "task": line["task"],
            **{
                key: line[key].replace("_x_", " × ").replace("_", " ") for key in ("method", "aggregation", "interface")
            },
            "layer": layer,
            "score": score,
        }
        for line in record["details"]["scores"]
        for layer, score in enumerate(line["scores"], start=1)
    )


def layers(teacher: int, student: int, prefix: str = "") -> Cell:
    """Return a teacher layer and the student layer that it supervises: shown as one text, in the data two numbers."""
    return Cell(
        f"{teacher}{SPACE}→{SPACE}{student}", {f"{prefix}teacher layer": teacher, f"{prefix}student layer": student}
    )
