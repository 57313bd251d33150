"""The files of a diagnosis: its record, two tables as CSV, and two pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from semalign.analysis.diagnosis.diagnosing import Diagnosis
from semalign.analysis.diagnosis.pictures import patches_figure, readings_figure
from semalign.data.rows import Row
from semalign.files import atomic_path, json_fingerprint
from semalign.models.pair import Pair
from semalign.results.records import make_record, write_record
from semalign.settings import TransferSettings


def text(found: Diagnosis) -> str:
    """Return a diagnosis for a terminal: the tables at their best places, then the verdict."""
    of_student = found.readings["map"] == "student"  # its last layer may have any number
    ends = found.readings["layer"].groupby(of_student).transform("max")
    last = found.readings[found.readings["layer"] == ends]
    columns = ["map", "layer", "top_1", "low", "high", "top_5", "kl"]
    changes = ["layer", "strength", "map", "change", "change_low", "change_high", "against_control", "against_zero"]
    spread = pd.DataFrame({name: each._asdict() for name, each in found.energy.items()}).T
    parts = [
        "Share of the map's energy in its first direction and first ten, and as how many equal directions it spreads:",
        spread.round(3).to_string(),
        "What states of the last layer say (the student's and its width's own readings included):",
        last[columns].round(3).to_string(index=False),
        "Change of the response NLL, in nats per token, with aligned states in place of the student's own:",
        found.patches[[c for c in changes if c in found.patches]].round(4).to_string(index=False),
        *found.verdict,
    ]
    return "\n".join(parts)


def write(folder: Path, found: Diagnosis, record: dict[str, Any]) -> None:
    """Write ``diagnosis.json``, ``readings.csv``, ``patches.csv`` and a picture of each table as SVG.

    Args:
        folder: where to write.
        found: the diagnosis.
        record: its record, see :func:`record`.
    """
    write_record(folder / "diagnosis.json", record)
    pictures: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], Figure]]] = {
        "readings": (found.readings, readings_figure),
        "patches": (found.patches, patches_figure),
    }
    for name, (frame, draw) in pictures.items():
        with atomic_path(folder / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False, float_format="%.6g")
        figure = draw(frame)
        with atomic_path(folder / f"{name}.svg") as temporary:
            figure.savefig(temporary, format="svg", bbox_inches="tight")
        plt.close(figure)


def record(found: Diagnosis, pair: Pair, rows: Sequence[Row], task: str, settings: TransferSettings) -> dict[str, Any]:
    """Return the run record of a diagnosis, whose value is the CKA of the atoms.

    Args:
        found: the diagnosis.
        pair: its teacher and student.
        rows: its rows.
        task: name of the data.
        settings: the settings that it was made with.
    """
    return make_record(
        method="diagnose",
        teacher=pair.teacher_source.outline.name,
        student=pair.student_source.outline.name,
        task=task,
        seed=settings.seed,
        metric="linear CKA of unit atoms",
        value=found.correspondence["atoms"].aligned,
        n=len(rows) - len(rows) // 2,
        configuration={**settings.model_dump(mode="json"), "rows": len(rows)},
        fingerprints={**pair.fingerprints, "data": json_fingerprint(list(rows))},
        seconds=found.seconds,
        details={
            "vocabulary": found.vocabulary,
            "correspondence": {name: each._asdict() for name, each in found.correspondence.items()},
            "energy": {name: each._asdict() for name, each in found.energy.items()},
            "readings": found.readings.to_dict("records"),
            "patches": found.patches.to_dict("records"),
            "verdict": found.verdict,
        },
    )
