"""Check on one GPU that memory is as planned, half precision right and bases fast, at the paper's shapes.

Random weights of the shapes of Llama 2 13B (teacher) and 7B (student) are made on the device, one model after the
other, in bfloat16 and in float16: nothing is downloaded. The script measures bases, attribution, states, training and
generation, and compares peak memory with ``semalign plan``, and losses and gradients with float32. It prints tables,
writes a record, and ends with 1 if a check fails, which it names. One H100 or A100 of 80 GB is enough. Without a GPU,
shapes are tiny and memory is not compared.

    python benchmarks/gpu_check.py --out data/results/gpu-check
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gpu_measures as measures
import half_precision
import torch
from gpu_models import SHAPES, Measured, Shapes, examples, free, random_model, warm_up
from gpu_plan import TOLERANCE, Planned, planned

from semalign.files import json_fingerprint
from semalign.paths import results_dir
from semalign.results.records import make_record, write_record
from semalign.settings import TransferSettings

TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
PAPER_SECONDS = 10.0  # of a basis on an A100 (Section 3.1)
BASIS_ERROR = 1e-5  # relative, against float64


def check(shapes: Shapes, dtype: torch.dtype, device: torch.device, pinv: bool) -> list[Measured]:
    """Return what all phases took in one type; the teacher is gone before the student comes.

    Args:
        shapes: sizes of models and texts.
        dtype: type of both models.
        device: where everything runs.
        pinv: whether ``torch.linalg.pinv`` and the exact basis are computed too.
    """
    warm_up(device)
    rows = examples(shapes.texts, shapes.teacher.vocab_size)
    settings = TransferSettings(epochs=1, batch_size=len(rows), micro_batch_size=shapes.micro_batch_size)
    with tempfile.TemporaryDirectory() as folder:
        teacher = random_model(shapes.teacher, dtype, device, seed=0)
        basis, of_basis = measures.basis(teacher, "teacher", device, pinv)
        attribution = measures.attribution(teacher, rows[: shapes.attributed], device)
        states, of_states = measures.teacher_states(teacher, rows, Path(folder), device)
        del teacher
        free(device)
        student = random_model(shapes.student, dtype, device, seed=1)
        own_basis, of_own_basis = measures.basis(student, "student", device, pinv)
        operator, of_map = measures.aligned(basis, own_basis, device)
        answers = measures.generation(student, rows, shapes.answer, device)
        k = shapes.student.num_hidden_layers // 2
        entering, of_prefix = measures.student_prefix(student, k, rows, Path(folder), device)
        data = measures.supervision(rows, entering, states, k, operator, device)
        steering = measures.steering(student, data, settings, device)
    del student, data
    free(device)
    return [of_basis, attribution, of_states, of_own_basis, of_map, answers, of_prefix, steering]


def half_lines(shapes: Shapes, device: torch.device) -> list[half_precision.Line]:
    """Return losses and gradients in half precision against float32, on the first layers of the student."""
    config = type(shapes.student)(**{**shapes.student.to_dict(), "num_hidden_layers": shapes.slice_layers})
    model = random_model(config, torch.float32, device, seed=2).model
    row = examples(shapes.texts, config.vocab_size)[0]
    ids = torch.tensor([row.input_ids], device=device)
    labels = ids.clone()
    labels[:, : row.prompt_length] = half_precision.IGNORED
    return list(half_precision.terms(model, ids, labels))


def problems(found: Sequence[Measured], plan: Sequence[Planned | None], full: bool) -> list[str]:
    """Return what contradicts the plan or fails, one line each.

    Args:
        found: what phases took.
        plan: what is planned for each, in the same order; None for a phase that the plan does not have.
        full: whether the shapes are the paper's, at which times can be compared.
    """
    wrong = []
    for each, expected in zip(found, plan, strict=True):
        name = f"{each.phase} ({each.model})"
        if expected and each.peak and abs(each.peak / expected.memory - 1) > TOLERANCE:
            wrong.append(f"{name}: peak memory {gb(each.peak)} GB, planned {gb(expected.memory)} GB")
        if each.details.get("finite") is False:
            wrong.append(f"{name}: a number is not finite")
        if each.details.get("error", 0) > BASIS_ERROR:
            wrong.append(f"{name}: relative error {each.details['error']:.1e}, above {BASIS_ERROR:g}")
        if each.phase == "basis" and full and each.seconds > PAPER_SECONDS:
            wrong.append(f"{name}: {each.seconds:.1f} s, the paper says {PAPER_SECONDS:g} s")
    return wrong


def gb(size: int | None) -> str:
    """Return bytes in GB."""
    return "-" if size is None else f"{size / 1e9:.2f}"


def table(dtype: str, found: Sequence[Measured], plan: Sequence[Planned | None]) -> str:
    """Return the measurements of one type as text."""
    lines = [f"{dtype:16s}{'model':9s}{'seconds':>8s}{'tokens/s':>10s}{'peak GB':>9s}{'planned':>9s}"]
    for each, expected in zip(found, plan, strict=True):
        speed = "-" if each.tokens is None else f"{each.tokens / each.seconds:.0f}"
        memory = f"{gb(each.peak):>9s}{gb(expected and expected.memory):>9s}"
        lines.append(f"{each.phase:16s}{each.model:9s}{each.seconds:8.2f}{speed:>10s}{memory}")
    for each in found:
        if "pinv_seconds" in each.details:
            of = each.details
            lines.append(
                f"basis of {of['rows']} x {of['width']}: {each.seconds:.2f} s, relative error {of['error']:.1e}; "
                f"torch.linalg.pinv {of['pinv_seconds']:.2f} s, {of['pinv_error']:.1e}; the paper {PAPER_SECONDS:g} s"
            )
    return "\n".join(lines)


def run(name: str, device: torch.device) -> tuple[dict[str, Any], list[str]]:
    """Run all checks, print their tables, and return the record and what is wrong."""
    start, shapes, wrong, phases = time.perf_counter(), SHAPES[name], [], {}
    for dtype, kind in TYPES.items():
        found = check(shapes, kind, device, pinv=not phases)
        plan = [planned(each, shapes, kind) for each in found]
        wrong += [f"{dtype}, {line}" for line in problems(found, plan, name == "llama2")]
        phases[dtype] = [
            {**asdict(each), "planned": expected and expected._asdict()}
            for each, expected in zip(found, plan, strict=True)
        ]
        print(table(dtype, found, plan), flush=True)
    lines = half_lines(shapes, device)
    print(half_precision.table(lines))
    wrong += [f"{line.dtype}, {line.term}: {line._asdict()}" for line in lines if not line.holds]
    details = {"phases": phases, "half_precision": [line._asdict() for line in lines], "problems": wrong}
    return record(name, shapes, details, time.perf_counter() - start), wrong


def record(name: str, shapes: Shapes, details: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the record, whose value is the number of problems."""
    sizes = {which: getattr(shapes, which).to_diff_dict() for which in ("teacher", "student")}
    configuration = {**asdict(shapes), **sizes, "texts": shapes.texts._asdict(), "shapes": name}
    return make_record(
        method="gpu_check",
        teacher=f"random weights of {name}",
        student=f"random weights of {name}",
        task="random tokens",
        seed=0,
        metric="problems",
        value=float(len(details["problems"])),
        n=sum(map(len, details["phases"].values())) + len(details["half_precision"]),
        configuration=configuration,
        fingerprints={"teacher": None, "student": None, "data": json_fingerprint(shapes.texts)},
        seconds=seconds,
        details=details,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    gpu = torch.cuda.is_available()
    parser.add_argument("--shapes", choices=list(SHAPES), default="llama2" if gpu else "tiny")
    parser.add_argument("--out", type=Path, help="folder of the record; default data/results/gpu-check on a GPU")
    options = parser.parse_args()
    device = torch.device("cuda" if gpu else "cpu")
    made, wrong = run(options.shapes, device)
    folder = options.out or (results_dir() / "gpu-check" if gpu else None)
    if folder is not None:
        write_record(folder / f"{options.shapes}--{made['device'].replace(' ', '-')}.json", made)
    if wrong:
        sys.exit("\n".join(["not as planned:", *wrong]))
    print("everything is as planned")


if __name__ == "__main__":
    main()
