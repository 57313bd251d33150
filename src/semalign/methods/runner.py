"""Run any method: read the rows, adapt the student, measure, save, write the record."""

import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from peft import PeftModel

from semalign.data.messages import rendered
from semalign.data.rows import read_rows
from semalign.data.task_file import task_name
from semalign.files import json_fingerprint
from semalign.methods.card import model_card
from semalign.methods.folder_lock import alone_in_output_dir
from semalign.methods.held_out import check_held_out, measured
from semalign.methods.output_folder import check_free, save_result, tell
from semalign.methods.regime import check_regime, rows_to_train
from semalign.methods.registry import Method
from semalign.methods.registry import method as method_of
from semalign.methods.returned import checked
from semalign.models import processes
from semalign.models.adapter_base import changed_in_memory, unnamed
from semalign.models.evaluating import plain_torch
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.models.precision import types_of
from semalign.models.source import GivenModel, Model, source_of
from semalign.outputs import check_folder
from semalign.registry import placed
from semalign.results.records import make_record
from semalign.training.adaptation import Adapted, Inputs
from semalign.training.adapters import base_facts, split_adapter, stack_adapters
from semalign.training.watching import Watch
from semalign.training.weight_change import weight_change

Data = str | Path | Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class TransferResult:
    """The result of a transfer.

    Attributes:
        model: the adapted student with its tokenizer: a PEFT model, or a plain model if the method changes weights.
        adapter_dir: folder of the PEFT adapter or of the changed model, or None if no ``output_dir`` was given.
        record: the run record.
    """

    model: LanguageModel
    adapter_dir: Path | None
    record: dict[str, Any]


@alone_in_output_dir
@plain_torch(gradients=True)
def run_method(
    name: str | Method,
    teacher: Model,
    student: Model,
    data: Data,
    *,
    output_dir: str | Path | None = None,
    validation: Data | None = None,
    task: str = "own data",
    watch: Watch | None = None,
    **settings: Any,
) -> TransferResult:
    """Adapt a student with a method of the registry.

    Of several processes (``accelerate launch``, ``torchrun``), each computes its share of the attribution, the states
    and every training step. All return the same result, and the first one writes.

    Args:
        name: a method or its name; :func:`semalign.methods.registry.methods` lists all of them.
        teacher: the larger model, or a name or path that :func:`semalign.load_model` takes; a model by name is loaded
            when its weights are needed, and then the memory is given back.
        student: the smaller model, in the same forms; it is not changed. If it has a LoRA adapter, training starts from
            there, and the result is one adapter of the base model that holds both.
        data: rows with ``prompt`` and ``response``, or with ``messages`` for the student's chat template: a file, a
            ``datasets`` Dataset or a list.
        output_dir: folder for the adapter (or the changed model), its record and checkpoints; a stopped run with the
            same inputs resumes there, and the result of a run with others is replaced at the end. Other files stay.
        validation: held-out rows; response NLL, and what else the method measures, are measured before and after.
        task: the task, for the record: a name, or the path of a task file, of which the record keeps the name.
        watch: what to measure in the course of the training, which it does not change; not for a schedule of several
            trainings, nor for LaTen, which does not train the student itself, and not together with ``output_dir``.
        **settings: fields of the method's settings.

    Raises:
        ValueError: for unknown settings, empty data, fewer rows than ``train_size``, rows longer than the context,
            held-out rows that are all training rows, models that the method cannot use, or files in the output folder
            that the run may not replace, all before any long work.
        FileNotFoundError: for a model or data file that does not exist.
        OSError: if the output folder cannot be written, or another run is writing to it, before any long work too.
    """
    if watch is not None and output_dir is not None:
        raise ValueError(
            "watch needs a whole training, and one in a folder may go on from a stop: leave out output_dir"
        )
    started, method = time.perf_counter(), name if isinstance(name, Method) else method_of(name)
    chosen = method.settings(**settings)
    folder = None if output_dir is None else check_folder(output_dir)
    given = source_of(teacher), source_of(student)
    rows, held_out = read_rows(data), [] if validation is None else read_rows(validation)
    for source in given:
        source.check()
    large, small = (source.outline for source in given)
    if folder is not None:
        processes.by_first(partial(check_free, folder, small, large, chosen))
    rows, held_out = (rendered(each, small.tokenizer) for each in (rows, held_out))
    base, carried = split_adapter(small)
    pair = Pair(given[0], given[1] if carried is None else base)
    pair.encode([*rows, *held_out])  # raises if a row is too long, before any long work
    check_regime(rows, chosen)
    inputs = Inputs(pair, rows, held_out, chosen, folder, watch)
    check_held_out(inputs)
    placed(method.check)(inputs)
    run = _run(method, inputs, task)
    if folder is not None and processes.is_first():
        tell(folder, run)
    facts = base_facts(pair.student_source, carried)  # of what the adapter is put on
    in_folder = folder is not None and processes.is_first() and isinstance(given[1], GivenModel)
    changed = in_folder and changed_in_memory(small, facts.identity)
    try:
        inputs = replace(inputs, rows=rows_to_train(inputs))
        adapted = checked(method, inputs, placed(method.adapt)(inputs))
    finally:
        pair.teacher_source.release()
    record = _record(run, inputs, adapted, time.perf_counter() - started)
    made = adapted.model if carried is None else stack_adapters(carried, adapted.model)
    if isinstance(made, PeftModel):
        record["details"]["base"] = facts._asdict()
    result = LanguageModel(made, small.tokenizer)  # type: ignore[arg-type]
    if folder is not None:
        with unnamed(result) if changed else nullcontext():
            card = model_card(result, method, record, adapted.trained_on or len(inputs.rows))
            processes.by_first(partial(save_result, result, folder, record, card))
    return TransferResult(result, folder, record)


def _run(method: Method, inputs: Inputs, task: str) -> dict[str, Any]:
    """Return the part of the run record that is known before the run, and that tells runs apart."""
    pair, settings = inputs.pair, inputs.settings
    return {
        "method": method.name,
        "teacher": pair.teacher_source.outline.name,
        "student": pair.student_source.outline.name,
        "task": task_name(task),
        "seed": settings.seed,
        "configuration": settings.model_dump(mode="json"),
        "fingerprints": {**pair.fingerprints, "data": json_fingerprint(inputs.rows)},
    }


def _record(run: dict[str, Any], inputs: Inputs, adapted: Adapted, seconds: float) -> dict[str, Any]:
    """Return the run record, whose value is the held-out response NLL or, without held-out rows, the last loss."""
    found, last = measured(inputs, adapted), inputs.settings.objective(adapted.losses[-1])
    held_out = {"before": None, "after": None} if found is None else found.details
    training = {
        "steps": len(adapted.losses),
        "weight_change": weight_change(adapted.model, lambda: inputs.pair.student.model),
        **held_out,
    }
    return make_record(
        **run,
        metric="training_loss" if found is None else "response_nll",
        value=last if found is None else found.after["response_nll"],
        n=len(inputs.held_out) or adapted.trained_on or len(inputs.rows),
        seconds=seconds,
        losses=adapted.losses,
        details={**adapted.details, "types": _types(inputs.pair, adapted), **training},
    )


def _types(pair: Pair, adapted: Adapted) -> dict[str, list[str]]:
    """Return the types of the models' weights and of the trained ones: a plain model is trained as a whole."""
    trained = (p for p in adapted.model.parameters() if p.requires_grad or not isinstance(adapted.model, PeftModel))
    models = {"teacher": pair.teacher_source.facts.types, "student": pair.student_source.facts.types}
    return {**models, "trained": types_of(trained)}
