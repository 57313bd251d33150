"""One transfer, end to end: attribute, pair, align, steer (Section 4)."""

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semalign.architecture import Architecture
from semalign.data import Row, read_rows
from semalign.files import json_fingerprint
from semalign.model_pair import ModelPair
from semalign.models import LanguageModel, load_model
from semalign.objective import Objective
from semalign.paths import cache_dir
from semalign.records import make_record, write_record
from semalign.settings import TransferSettings
from semalign.steering import Steering, add_lora

Data = str | Path | Iterable[Row]


@dataclass(frozen=True)
class TransferResult:
    """What a transfer gives.

    Attributes:
        model: the adapted student, a PEFT model with its tokenizer.
        adapter_dir: folder of the PEFT adapter, or None if no ``output_dir`` was given.
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
    by ``target = h @ M`` into the student's space, and the labels supervise a LoRA on layer k.

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
    started, chosen = time.perf_counter(), TransferSettings(**settings)
    rows, held_out = read_rows(data), None if validation is None else read_rows(validation)
    pair = ModelPair(_loaded(teacher), _loaded(student), chosen)
    pair.encode([*rows, *(held_out or [])])  # lengths are checked before anything long starts
    alignment = pair.alignment()
    mixture, k, scores = pair.choose_layers(rows)
    with tempfile.TemporaryDirectory() as scratch:
        folder = cache_dir() / "states" if output_dir else Path(scratch)
        supervision = pair.supervision(rows, alignment, mixture, k, folder)
        checked = None if held_out is None else pair.supervision(held_out, alignment, mixture, k, folder)
        adapted = add_lora(pair.student.model, [k], chosen)
        objective = Objective(Architecture(adapted.get_base_model()), k, chosen)
        before = None if checked is None else objective.measure(checked)
        identity = json_fingerprint([pair.fingerprints, chosen.model_dump(), mixture, k, rows])
        checkpoint = Path(output_dir) / "checkpoint.safetensors" if output_dir else None
        losses = Steering(objective, supervision, chosen, checkpoint, identity).run()
        after = None if checked is None else objective.measure(checked)
        share = supervision.mean_direction_share()
    details = {
        "teacher_layers": [list(part) for part in mixture],
        "student_layer": k,
        "attribution": scores,
        "mean_direction_share": share,
        "before": before,
        "after": after,
        "adapter_parameters": sum(p.numel() for p in adapted.parameters() if p.requires_grad),
    }
    record = make_record(
        method="semalign",
        teacher=pair.teacher.name,
        student=pair.student.name,
        task=task,
        seed=chosen.seed,
        metric="training_loss" if after is None else "response_nll",
        value=sum(losses[-1].values()) if after is None else after["response_nll"],
        n=len(rows) if held_out is None else len(held_out),
        configuration=chosen.model_dump(),
        fingerprints={**pair.fingerprints, "data": json_fingerprint(rows)},
        seconds=time.perf_counter() - started,
        losses=losses,
        details=details,
    )
    adapter_dir = None if output_dir is None else _save(adapted, record, Path(output_dir))
    return TransferResult(LanguageModel(adapted, pair.student.tokenizer), adapter_dir, record)  # type: ignore[arg-type]


def _loaded(model: str | Path | LanguageModel) -> LanguageModel:
    return model if isinstance(model, LanguageModel) else load_model(model)


def _save(adapted: Any, record: dict[str, Any], output_dir: Path) -> Path:
    adapted.save_pretrained(output_dir, safe_serialization=True)
    write_record(output_dir / "record.json", record)
    return output_dir
