"""Seeking (Zhong et al., ICLR 2024): teacher weights found by sensitivity, injected as the start of a LoRA.

Where the published code and the paper's Appendix B.1 differ, the code's form is the default and the appendix's an
option. Three differences from that code remain. It also adapts the embedding and the LM head, which ties the method to
one vocabulary and is left out here. It reads its seed examples from a file of their own; here they are the first rows
of the data. It averages a step over parts of eight examples; here every response token of a step counts the same.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from peft import PeftModel
from pydantic import Field
from torch import Tensor

from semalign.data.rows import Example, read_rows
from semalign.files import json_fingerprint
from semalign.methods.runner import Data, TransferResult, transfer_record
from semalign.methods.seeking.blocks import BlockChoice
from semalign.methods.seeking.injection import Injection, as_plain_lora, inject
from semalign.methods.seeking.sensitivity import Extraction, check_fit, extract, matrix
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel, loaded
from semalign.models.pair import Pair
from semalign.paths import cache_dir
from semalign.results.records import write_record
from semalign.settings import TrainingSettings
from semalign.training.finetuning import FineTuning, response_nll
from semalign.training.steering import add_lora


class SeekingSettings(TrainingSettings):
    """How one run of Seeking is done; an unknown or impossible value is an error. Defaults are its code's."""

    seed_examples: int = Field(32, ge=1, description="first rows, on which the teacher's sensitivities are measured")
    block: BlockChoice = Field("window", description="contiguous window, or the top rows and the top columns")
    injection: Injection = Field("code", description="code: W - BA + BA; appendix: W - W_extract + BA")
    epochs: int = Field(3, ge=1)
    lora_dropout: float = Field(0.05, ge=0, lt=1)


def seeking(
    teacher: str | Path | LanguageModel,
    student: str | Path | LanguageModel,
    data: Data,
    *,
    output_dir: str | Path | None = None,
    validation: Data | None = None,
    task: str = "own data",
    **settings: Any,
) -> TransferResult:
    """Move knowledge from a teacher to a student by Seeking.

    The teacher's sensitivities on a few rows choose its layers and a block of each matrix
    (:func:`semalign.methods.seeking.sensitivity.extract`, which says what memory that takes). The truncated SVD of a
    block is the start of a LoRA on the student's matrix (:func:`semalign.methods.seeking.injection.inject`). All LoRAs
    are then trained by cross-entropy on the responses. The result is LoRA on the unmodified student, of twice the rank.

    Which blocks were chosen is kept below the cache folder, where other seeds and the other injection find it.

    Args:
        teacher: the larger model, or a name or path that :func:`semalign.load_model` takes.
        student: the smaller model; it is not changed.
        data: rows with ``prompt`` and ``response``: a JSONL file, a ``datasets`` Dataset or a list.
        output_dir: where the adapter, its record and checkpoints go; a stopped run with the same inputs goes on there.
        validation: held-out rows; their response NLL is measured for the student, after injection and after training.
        task: name of the task, for the record.
        **settings: fields of :class:`SeekingSettings`.

    Raises:
        ValueError: for unknown settings, empty data, rows longer than the context, or a teacher that is smaller than
            the student in some dimension, all before any long work.
        FileNotFoundError: for a model or data file that does not exist.
    """
    started, chosen = time.perf_counter(), SeekingSettings(**settings)
    rows, held_out = read_rows(data), [] if validation is None else read_rows(validation)
    pair = Pair(loaded(teacher), loaded(student))
    check_fit(pair.teacher_architecture, pair.student_architecture)
    pair.encode([*rows, *held_out])
    folder = None if output_dir is None else Path(output_dir)
    adapted, losses, details = _extract_and_train(pair, rows, held_out, chosen, folder)
    n = len(held_out) or len(rows)
    record = transfer_record("seeking", pair, task, rows, n, chosen, started, losses, details)
    if folder is not None:
        adapted.save_pretrained(str(folder))
        write_record(folder / "record.json", record)
    return TransferResult(LanguageModel(adapted, pair.student.tokenizer), folder, record)  # type: ignore[arg-type]


def _extract_and_train(
    pair: Pair,
    rows: list[dict[str, str]],
    held_out: list[dict[str, str]],
    settings: SeekingSettings,
    folder: Path | None,
) -> tuple[PeftModel, list[dict[str, float]], dict[str, Any]]:
    """Return the adapted student, the losses of every step, and details for the record."""
    student = pair.student_architecture
    (examples, _), (checked, _) = pair.encode(rows), pair.encode(held_out)
    extraction = _extraction(pair, pair.encode(rows[: settings.seed_examples])[1], settings.block)
    adapted = add_lora(student.model, range(1, student.n_layers + 1), settings, all_matrices=True).eval()
    removed = inject(adapted, _blocks(pair, extraction), settings.injection)
    injected = _nll(adapted, checked)
    identity = json_fingerprint(["seeking", pair.fingerprints, settings.model_dump(), rows])
    checkpoint = None if folder is None else folder / "checkpoint.safetensors"
    losses = FineTuning(Architecture(adapted), examples, settings, checkpoint, identity).run()
    result = as_plain_lora(student.model, adapted, removed)
    details = {
        "teacher_layers": extraction.layers,
        "layer_scores": extraction.layer_scores,
        "before": _nll(student.model, checked),
        "injected": injected,
        "after": _nll(result, checked),
        "adapter_parameters": sum(p.numel() for p in adapted.parameters() if p.requires_grad),
    }
    return result, losses, details


def _nll(model: Any, examples: Sequence[Example]) -> dict[str, float] | None:
    return {"response_nll": response_nll(Architecture(model), examples)} if examples else None


def _extraction(pair: Pair, seeds: Sequence[Example], choice: BlockChoice) -> Extraction:
    """Return what to extract, from an earlier run with the same teacher, shapes and examples if there was one."""
    teacher, student = pair.teacher_architecture, pair.student_architecture
    shapes = check_fit(teacher, student)
    seen = [[example.input_ids, example.prompt_length] for example in seeds]
    key = json_fingerprint([pair.fingerprints["teacher"], student.n_layers, shapes, seen, choice])
    path = cache_dir() / "seeking" / f"{key}.safetensors"
    if not path.exists():
        extract(teacher, student, seeds, choice).save(path)
    return Extraction.load(path, list(shapes))


def _blocks(pair: Pair, extraction: Extraction) -> Iterator[tuple[str, Float[Tensor, "n m"]]]:
    """Yield the names of the student's matrices, and the block for each."""
    student = pair.student_architecture
    for k, (layer, blocks) in enumerate(zip(extraction.layers, extraction.blocks, strict=True), start=1):
        for name, (path, block) in zip(student.lora_targets([k], all_matrices=True), blocks.items(), strict=True):
            whole = matrix(pair.teacher_architecture.layer(layer).get_submodule(path))
            yield name, block.of(whole).to(student.device)
