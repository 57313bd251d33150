"""One transfer, end to end: attribute, pair, align, steer (Section 4)."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import PeftModel

from semalign.data.rows import Row, read_rows
from semalign.files import json_fingerprint
from semalign.models.loading import LanguageModel, loaded
from semalign.models.pair import Pair
from semalign.paths import cache_dir
from semalign.results.records import make_record, write_record
from semalign.settings import MethodSettings, TransferSettings
from semalign.targets.builder import ModelPair
from semalign.training.frontier import steer_frontier
from semalign.training.steering import Steering, add_lora

Data = str | Path | Iterable[Row]


@dataclass(frozen=True)
class TransferResult:
    """What a transfer gives.

    Attributes:
        model: the adapted student with its tokenizer: a PEFT model, or a plain one from a method that changes weights.
        adapter_dir: folder of the PEFT adapter or of the changed model, or None if no ``output_dir`` was given.
        record: the run record.
    """

    model: LanguageModel
    adapter_dir: Path | None
    record: dict[str, Any]


def transfer(
    teacher: str | Path | LanguageModel,
    student: str | Path | LanguageModel,
    data: Data,
    *,
    output_dir: str | Path | None = None,
    validation: Data | None = None,
    task: str = "own data",
    **settings: Any,
) -> TransferResult:
    """Move knowledge from a teacher to a student by latent semantic alignment.

    Attribution finds the teacher's critical layer, pairing its student layer k; the teacher's states there, mapped
    by ``target = h @ M`` into the student's space, and the labels supervise a LoRA on layer k. States of both models
    are kept below the cache folder, where a later run with the same inputs finds them.

    Args:
        teacher: the larger model, or a name or path that :func:`semalign.load_model` takes.
        student: the smaller model; it is not changed.
        data: rows with ``prompt`` and ``response``: a JSONL file, a ``datasets`` Dataset or a list.
        output_dir: where the adapter, its record and checkpoints go; a stopped run with the same inputs goes on there.
        validation: held-out rows; their response NLL and layer cosine are measured before and after.
        task: name of the task, for the record.
        **settings: fields of :class:`semalign.settings.TransferSettings`.

    Raises:
        ValueError: for unknown settings, empty data, rows longer than the context, a damaged LM head, too few shared
            tokens or a layer out of range, all before any long work.
        FileNotFoundError: for a model or data file that does not exist.
    """
    chosen = TransferSettings(**settings)
    return transfer_as(
        "semalign", chosen, teacher, student, data, output_dir=output_dir, validation=validation, task=task
    )


def transfer_as(
    method: str,
    settings: TransferSettings,
    teacher: str | Path | LanguageModel,
    student: str | Path | LanguageModel,
    data: Data,
    *,
    output_dir: str | Path | None = None,
    validation: Data | None = None,
    task: str = "own data",
) -> TransferResult:
    """Run :func:`semalign.transfer` under complete settings, recorded under the name of a method."""
    started = time.perf_counter()
    rows, held_out = read_rows(data), None if validation is None else read_rows(validation)
    pair = ModelPair(loaded(teacher), loaded(student), settings)
    pair.encode([*rows, *(held_out or [])])  # lengths are checked before anything long starts
    folder = None if output_dir is None else Path(output_dir)
    steer = steer_frontier if settings.schedule == "frontier" else _align_and_steer
    adapted, losses, details = steer(pair, rows, held_out, folder)
    record = transfer_record(method, pair, task, rows, len(held_out or rows), settings, started, losses, details)
    if folder is not None:
        adapted.save_pretrained(str(folder))
        write_record(folder / "record.json", record)
    model = LanguageModel(adapted, pair.student.tokenizer)  # type: ignore[arg-type]
    return TransferResult(model, folder, record)


def transfer_record(
    method: str,
    pair: Pair,
    task: str,
    rows: list[dict[str, str]],
    n: int,
    settings: MethodSettings,
    started: float,
    losses: list[dict[str, float]],
    details: dict[str, Any],
) -> dict[str, Any]:
    """Return the run record of a method: held-out response NLL where it was measured, else the last training loss.

    Args:
        method: name of the method.
        pair: teacher and student.
        task: name of the task.
        rows: all rows that the method was given.
        n: number of rows that the value is over.
        settings: the method's settings, with a seed.
        started: when it began, by ``time.perf_counter``.
        losses: terms of the loss at every step.
        details: what else is to be known; ``after`` holds the held-out measurements or None.
    """
    after = details["after"]
    return make_record(
        method=method,
        teacher=pair.teacher.name,
        student=pair.student.name,
        task=task,
        seed=settings.seed,
        metric="training_loss" if after is None else "response_nll",
        value=_objective(losses[-1], settings) if after is None else after["response_nll"],
        n=n,
        configuration=settings.model_dump(),
        fingerprints={**pair.fingerprints, "data": json_fingerprint(rows)},
        seconds=time.perf_counter() - started,
        losses=losses,
        details=details,
    )


def _objective(terms: dict[str, float], settings: MethodSettings) -> float:
    """Return the value of the objective from its terms, each with its weight."""
    weights: dict[str, float] = {}
    if isinstance(settings, TransferSettings):
        weights = {"layer": settings.layer_weight, "output": settings.output_weight}
    return sum(weights.get(name, 1.0) * value for name, value in terms.items())


def _align_and_steer(
    pair: ModelPair, rows: list[dict[str, str]], held_out: list[dict[str, str]] | None, folder: Path | None
) -> tuple[PeftModel, list[dict[str, float]], dict[str, Any]]:
    """Return the adapted student, the losses of every step, and details for the record."""
    alignment = pair.alignment()
    mixture, k, scores = pair.choose_layers(rows)
    states = cache_dir() / "states"
    supervision = pair.supervision(rows, alignment, mixture, k, states)
    checked = None if held_out is None else pair.supervision(held_out, supervision.alignment, mixture, k, states)
    adapted = add_lora(pair.student.model, [k], pair.settings)
    objective = pair.objective(adapted, k, supervision)
    before = None if checked is None else objective.measure(checked)
    identity = json_fingerprint([pair.fingerprints, pair.settings.model_dump(), mixture, k, rows])
    checkpoint = None if folder is None else folder / "checkpoint.safetensors"
    losses = Steering(objective, supervision, pair.settings, checkpoint, identity).run()
    details = {
        "teacher_layers": [list(part) for part in mixture],
        "student_layer": k,
        "attribution": scores,
        "mean_direction_share": supervision.mean_direction_share(),
        "before": before,
        "after": None if checked is None else objective.measure(checked),
        "adapter_parameters": sum(p.numel() for p in adapted.parameters() if p.requires_grad),
    }
    return adapted, losses, details
