"""What moves between the models and what alignment computes (Appendix D.1), by arithmetic on the models' shapes."""

from pathlib import Path

import pandas as pd

from semalign.book.tables.paper import title
from semalign.experiments.profiles import Profile
from semalign.files import read_json
from semalign.planning import transfer
from semalign.planning.machines import MACHINES
from semalign.planning.setup import AS_GIVEN, Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import ProfileTexts
from semalign.settings import TransferSettings

MEGA, GIGA = 10**6, 10**9
PAIRS = {"micro-student": "micro-teacher and micro-student", "smollm2-135m": "SmolLM2 and itself"}


def medium_table(profile: Profile) -> pd.DataFrame:
    """Return for each task the megabytes of targets, logits and one student layer, and gigaflops of each part.

    Targets are ``positions * D_S`` numbers and logits ``positions * V`` numbers in the type of the student's weights,
    for all training rows. Operations are those of :mod:`semalign.planning.transfer`, by its phases; the product of
    states and map is that of all positions, once.

    Args:
        profile: the profile; the column ``lengths`` says of each task whether those of its texts are counted,
            estimated or assumed, see :class:`semalign.planning.lengths.Known`.
    """
    setup = Setup(MACHINES["a100"], shapes_of(profile.teacher), shapes_of(profile.student), AS_GIVEN)
    texts, student = ProfileTexts(profile), setup.student
    lines = []
    for task in profile.tasks:
        rows = texts.training(task)
        settings = TransferSettings(**profile.settings_for(task))
        work = {phase.name: phase.flops for phase in transfer.phases(setup, settings, rows)}
        size = student.dtype.itemsize / MEGA
        lines.append(
            {
                "data": title(task),
                "targets, MB": rows.positions * student.width * size,
                "logits, MB": rows.positions * student.vocabulary * size,
                "one layer, MB": student.layer_parameters * size,
                "bases and map, GFLOP": work["bases and map"] / GIGA,
                "targets, GFLOP": 2 * setup.teacher.width * student.width * rows.positions / GIGA,
                "teacher's pass, GFLOP": work["teacher states"] / GIGA,
                "training, GFLOP": work["training"] / GIGA,
                "lengths": str(rows.known),
            }
        )
    return pd.DataFrame(lines)


def measured_table(path: Path) -> pd.DataFrame:
    """Return what ``benchmarks/plan_check.py`` measured of these sizes, beside what arithmetic gives for the same rows.

    Args:
        path: its JSON file.
    """
    lines = [
        {
            "models": PAIRS.get(size["model"], size["model"]),
            "what": size["what"],
            "by arithmetic": size["planned"],
            "measured": size["measured"],
        }
        for size in read_json(path)["moved"]
    ]
    return pd.DataFrame(lines)


def share_of_alignment(table: pd.DataFrame) -> pd.Series:
    """Return the share of bases, map and targets in all operations of a transfer, in percent, by task.

    Args:
        table: see :func:`medium_table`.
    """
    return _share(table, ["bases and map, GFLOP", "targets, GFLOP"])


def share_of_teacher(table: pd.DataFrame) -> pd.Series:
    """Return the share of the teacher's forward pass in all operations of a transfer, in percent, by task.

    Args:
        table: see :func:`medium_table`.
    """
    return _share(table, ["teacher's pass, GFLOP"])


def _share(table: pd.DataFrame, parts: list[str]) -> pd.Series:
    work = table.set_index("data").filter(like="GFLOP")
    return 100 * work[parts].sum(axis=1) / work.sum(axis=1)
