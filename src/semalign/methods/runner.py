"""Run any method: read the rows, adapt the student, measure, save, write the record."""

import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from peft import PeftModel

from semalign.data.messages import rendered
from semalign.data.rows import read_rows
from semalign.methods.card import model_card
from semalign.methods.folder_lock import alone_in_output_dir
from semalign.methods.held_out import check_held_out, of_held_out
from semalign.methods.output_folder import check_free, save_result, tell
from semalign.methods.regime import check_regime, rows_to_train
from semalign.methods.registry import Method
from semalign.methods.registry import method as method_of
from semalign.methods.returned import checked
from semalign.methods.run_record import begun, finished
from semalign.models import processes
from semalign.models.adapter_base import changed_in_memory, unnamed
from semalign.models.evaluating import plain_torch
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.models.remembered import Facts
from semalign.models.source import GivenModel, Model, ModelSource, source_of
from semalign.outputs import check_folder
from semalign.registry import placed
from semalign.settings import MethodSettings
from semalign.training.adaptation import Adapted, Inputs
from semalign.training.adapters import base_facts, split_adapter, stack_adapters
from semalign.training.watching import Watch

Rows = list[dict[str, Any]]
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
    sources = source_of(teacher), source_of(student)
    inputs, carried = _inputs(sources, _read(data, validation), chosen, folder, watch)
    placed(method.check)(inputs)
    run = begun(method, inputs, task)
    if folder is not None and processes.is_first():
        tell(folder, run)
    base = _base(inputs, sources[1], carried)
    inputs, adapted = _adapted(method, inputs)
    record = finished(run, inputs, adapted, base.facts, time.perf_counter() - started)
    made = adapted.model if carried is None else stack_adapters(carried, adapted.model)
    result = TransferResult(LanguageModel(made, sources[1].outline.tokenizer), folder, record)  # type: ignore[arg-type]
    if folder is not None:
        _save(result, folder, method, adapted.trained_on or len(inputs.rows), base.changed)
    return result


def _read(data: Data, validation: Data | None) -> tuple[Rows, Rows]:
    """Return the training rows and the held-out rows."""
    rows = read_rows(data)
    if validation is None:
        return rows, []
    with of_held_out():
        return rows, read_rows(validation)


def _inputs(
    sources: tuple[ModelSource, ModelSource],
    rows: tuple[Rows, Rows],
    settings: MethodSettings,
    folder: Path | None,
    watch: Watch | None,
) -> tuple[Inputs, PeftModel | None]:
    """Return the inputs of a method, once they are checked, and the adapter that the student came with."""
    for source in sources:
        source.check()
    large, small = (source.outline for source in sources)
    if folder is not None:
        processes.by_first(partial(check_free, folder, small, large, settings))
    base, carried = split_adapter(small)
    pair = Pair(sources[0], sources[1] if carried is None else base)
    train = _readable(pair, rows[0])
    with of_held_out():
        held_out = _readable(pair, rows[1])
    check_regime(train, settings)
    inputs = Inputs(pair, train, held_out, settings, folder, watch)
    check_held_out(inputs)
    return inputs, carried


def _readable(pair: Pair, rows: Rows) -> Rows:
    """Return rows of prompt and response, all of which both models can read."""
    texts = rendered(rows, pair.student_source.outline.tokenizer)
    pair.encode(texts)  # raises if a row is too long, before any long work
    return texts


class _Base(NamedTuple):
    """The model that a saved adapter is put on: its facts, and whether its files must not be named as it."""

    facts: Facts
    changed: bool


def _base(inputs: Inputs, student: ModelSource, carried: PeftModel | None) -> _Base:
    """Return the student without the adapter that it came with; it counts as changed only where it is saved."""
    facts = base_facts(inputs.pair.student_source, carried)
    saved = inputs.folder is not None and processes.is_first()
    in_memory = isinstance(student, GivenModel)
    return _Base(facts, saved and in_memory and changed_in_memory(student.outline, facts.identity))


def _adapted(method: Method, inputs: Inputs) -> tuple[Inputs, Adapted]:
    """Return the inputs with the rows that the method trained on, and what it returned; the teacher is given back."""
    try:
        inputs = replace(inputs, rows=rows_to_train(inputs))
        return inputs, checked(method, inputs, placed(method.adapt)(inputs))
    finally:
        inputs.pair.teacher_source.release()


def _save(result: TransferResult, folder: Path, method: Method, n_rows: int, unnamed_base: bool) -> None:
    """Write the result of a run on some rows to its folder, with its card; the first process does."""
    model, record = result.model, result.record
    with unnamed(model) if unnamed_base else nullcontext():
        card = model_card(model, method, record, n_rows)
        processes.by_first(partial(save_result, model, folder, record, card))
