"""Rules on costs: seconds of the bases and of a transfer, and the numbers that move between models (D.1)."""

from collections.abc import Mapping, Sequence
from typing import Any

from semalign.book.claims.evidence import records_of
from semalign.book.claims.profiles import profile_of
from semalign.book.claims.rules import rule
from semalign.book.claims.verdicts import NOT, PARTLY, REPRODUCED, UNDECIDED, Finding, NotRunError, over
from semalign.book.tables.medium import medium_table, share_of_alignment
from semalign.book.tables.paper import title
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import ProfileTexts
from semalign.results.records import PAPER

CPU = "cpu"


@rule
def seconds_at_size(patterns: Sequence[str], *, seconds: float, size: dict[str, int]) -> Finding:
    """Reproduced if a step of ``benchmarks/bench`` takes at most ``seconds`` at a size, on a GPU or, if it does, a CPU.

    The slowest run decides. A CPU that takes longer than the bound of a GPU decides nothing.
    """
    found = [(*_at(record, size), record["device"]) for record in records_of(patterns)]
    gpus = [run for run in found if run[2] != CPU]
    ours, peer, device = max(gpus or found)
    verdict = REPRODUCED if ours <= seconds else NOT if gpus else UNDECIDED
    return Finding(verdict, {"seconds": ours, "peer": peer, "device": device, "bound": seconds})


def _at(record: dict[str, Any], size: dict[str, int]) -> tuple[float, float]:
    for line in record["details"]["sizes"]:
        if line["size"] == size:
            return line["ours"]["median"], line["peer"]["median"]
    raise NotRunError(f"{record['method']} was not measured at {size}")


@rule
def bases_on_gpu(patterns: Sequence[str], *, seconds: float) -> Finding:
    """Reproduced if each basis of ``benchmarks/gpu_check.py`` took at most ``seconds`` on a GPU, else not."""
    records = records_of(patterns)
    phases = [phase for record in records for of_type in record["details"]["phases"].values() for phase in of_type]
    bases = [phase for phase in phases if phase["phase"] == "basis"]
    slowest = max(bases, key=lambda phase: phase["seconds"])
    error = max(phase["details"].get("error", 0.0) for phase in bases)
    size = {"rows": slowest["details"]["rows"], "width": slowest["details"]["width"]}
    devices = ", ".join(sorted({record["device"] for record in records}))
    verdict = REPRODUCED if slowest["seconds"] <= seconds else NOT
    return Finding(verdict, {"seconds": slowest["seconds"], "error": error, "device": devices, **size})


@rule
def cost_ratio(patterns: Sequence[str], *, theirs: str, mark: float, partly: float, ours: str = PAPER) -> Finding:
    """Reproduced if a transfer by ``ours`` takes at most ``mark`` times as long as one by ``theirs``.

    In part if at most ``partly`` times; the seconds are those of the cost records, of one run each.
    """
    spent = {record["method"]: record["seconds"] for record in records_of(patterns)}
    if absent := [name for name in (ours, theirs) if name not in spent]:
        raise NotRunError(f"no cost record of {', '.join(absent)}")
    ratio = spent[ours] / spent[theirs]
    verdict = REPRODUCED if ratio <= mark else PARTLY if ratio <= partly else NOT
    return Finding(verdict, {"ratio": ratio, "ours": spent[ours], "theirs": spent[theirs]})


@rule
def bandwidth(patterns: Sequence[str], *, profile: str) -> Finding:
    """Reproduced if all targets of a task are fewer numbers than the weights of one student layer, for every task.

    The numbers are ``positions * D_S`` for targets, and ``positions * V`` for logits, over the training rows; their
    lengths are counted, estimated or assumed by :mod:`semalign.planning.texts`, which is told. No record is read.
    """
    settings = profile_of(profile)
    student, texts_of = shapes_of(settings.student), ProfileTexts(settings).training
    texts = {title(task): texts_of(task) for task in settings.tasks}
    ratios = {task: each.positions * student.width / student.layer_parameters for task, each in texts.items()}
    numbers = {
        "each": ", ".join(f"{task} {ratio:.2f}" for task, ratio in ratios.items()),
        "logits": student.vocabulary / student.width,
        "known": _known({task: each.known for task, each in texts.items()}),
    }
    return Finding(over(ratio < 1 for ratio in ratios.values()), numbers)


def _known(lengths: Mapping[str, str]) -> str:
    """Return how the lengths of all tasks are known, and of which tasks if not all alike."""
    tasks_of: dict[str, list[str]] = {}
    for task, known in lengths.items():
        tasks_of.setdefault(known, []).append(task)
    parts = tasks_of if len(tasks_of) == 1 else [f"{known} of {' and '.join(of)}" for known, of in tasks_of.items()]
    return f"lengths {', '.join(parts)}"


@rule
def alignment_work(patterns: Sequence[str], *, profile: str, mark: float, partly: float) -> Finding:
    """Reproduced if bases, map and targets make a transfer at most ``mark`` times the operations of all the rest.

    In part if at most ``partly`` times, for the task with the largest ratio. Attribution is in neither: operations are
    those of :func:`semalign.book.tables.medium.medium_table`. What the ratios are if the teacher's pass, which only
    targets need, counts as alignment too is told, and decides nothing. No record is read.
    """
    table = medium_table(profile_of(profile))
    shares = share_of_alignment(table)
    ratios = 100 / (100 - shares)
    verdict = REPRODUCED if ratios.max() <= mark else PARTLY if ratios.max() <= partly else NOT
    work = table.set_index("data").filter(like="GFLOP")
    charged = work.sum(axis=1) / work["training, GFLOP"]
    told = {"each": ", ".join(f"{task} {share:.2g}%" for task, share in shares.items())}
    told["known"] = _known(table.set_index("data")["lengths"].to_dict())
    return Finding(verdict, told | {"charged": ", ".join(f"{task} {times:.2f}" for task, times in charged.items())})
