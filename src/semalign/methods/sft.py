"""Supervised fine-tuning: cross-entropy through LoRA on all layers, three epochs (Appendix A.2's SFT setting)."""

import time
from pathlib import Path
from typing import Any

from pydantic import Field

from semalign.data.rows import read_rows
from semalign.files import json_fingerprint
from semalign.methods.registry import Method
from semalign.methods.runner import Data, TransferResult, transfer_record
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel, loaded
from semalign.models.pair import Pair
from semalign.results.records import write_record
from semalign.settings import TrainingSettings
from semalign.training.finetuning import FineTuning, response_nll
from semalign.training.steering import add_lora


class SftSettings(TrainingSettings):
    """How one fine-tuning is done; an unknown or impossible value is an error."""

    epochs: int = Field(3, ge=1)


def sft(
    teacher: str | Path | LanguageModel,
    student: str | Path | LanguageModel,
    data: Data,
    *,
    output_dir: str | Path | None = None,
    validation: Data | None = None,
    task: str = "own data",
    **settings: Any,
) -> TransferResult:
    """Fine-tune the up, down, value and output matrices of all student layers; the teacher is not asked.

    Arguments and errors are those of :func:`semalign.transfer`, settings those of :class:`SftSettings`. The teacher is
    in the record only.
    """
    started, chosen = time.perf_counter(), SftSettings(**settings)
    rows, held_out = read_rows(data), None if validation is None else read_rows(validation)
    pair = Pair(loaded(teacher), loaded(student))
    examples, checked = pair.encode(rows)[0], None if held_out is None else pair.encode(held_out)[0]
    folder = None if output_dir is None else Path(output_dir)
    adapted = add_lora(pair.student.model, range(1, pair.student_architecture.n_layers + 1), chosen)
    model = Architecture(adapted)
    before = None if checked is None else {"response_nll": response_nll(model, checked)}
    identity = json_fingerprint(["sft", pair.fingerprints, chosen.model_dump(), rows])
    checkpoint = None if folder is None else folder / "checkpoint.safetensors"
    losses = FineTuning(model, examples, chosen, checkpoint, identity).run()
    details = {
        "before": before,
        "after": None if checked is None else {"response_nll": response_nll(model, checked)},
        "adapter_parameters": sum(p.numel() for p in adapted.parameters() if p.requires_grad),
    }
    record = transfer_record("sft", pair, task, rows, len(held_out or rows), chosen, started, losses, details)
    if folder is not None:
        adapted.save_pretrained(str(folder))
        write_record(folder / "record.json", record)
    return TransferResult(LanguageModel(adapted, pair.student.tokenizer), folder, record)  # type: ignore[arg-type]


METHOD = Method("sft", "control", "hu2022lora", SftSettings, sft, {"learning_rate": "learning_rate"})
