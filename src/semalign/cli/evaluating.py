"""The command that scores one model, with an adapter or without."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from semalign.cli.inputs import check_adapter, with_adapter
from semalign.cli.options import DataRoot, Model, RecordFolder, Sandbox, check_models, check_tasks, choice
from semalign.cli.placing import placed
from semalign.cli.scoring import Engine, Vllm, engine_of
from semalign.data.chat import ChatName


@placed
def evaluate(
    model: Model,
    task: Annotated[
        list[str],
        typer.Option(
            "--task", "-t", callback=check_tasks, help="task name or path of a task file; may be given several times"
        ),
    ],
    adapter: Annotated[Path | None, typer.Option(help="PEFT adapter folder to put on the model")] = None,
    split: Annotated[str, typer.Option(help="test for final scores, validation for choosing settings")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first items; MMLU: of each subject")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    engine: Engine = None,
    vllm: Vllm = None,
    chat: Annotated[str | None, typer.Option(help="plain, tulu, llama2 or model; default: the task's")] = None,
    out: RecordFolder = None,
    data_root: DataRoot = None,
    sandbox: Sandbox = None,
) -> None:
    """Score a model, with or without an adapter, on benchmarks (Section 5) through lm-eval.

    With --out, an evaluation that was interrupted goes on, and a task with a current record is not asked again,
    unless the record is deleted.
    """
    name, options = engine_of(engine, vllm)
    choice(chat or "plain", *get_args(ChatName))
    check_models(model)
    check_adapter(adapter)
    given = {"adapter": None if adapter is None else str(adapter)}
    if out is not None:
        _check_places(out, task, model, given["adapter"])
    from semalign.data.task_file import task_file
    from semalign.data.tasks import chat_name, documents
    from semalign.evaluation.record import score_record, scored
    from semalign.evaluation.run import evaluate as run_evaluation
    from semalign.evaluation.run import sandbox_of
    from semalign.results.records import read_record, write_record

    for each in task:  # finds errors in a task before the model is loaded
        sandbox_of(each)
        documents(each, split, limit)
    loaded = with_adapter(model, adapter, name, options)
    for each in task:
        source = task_file(each)
        path = None if out is None else out / f"{source.name}.json"
        if path is not None:
            made_from, settings = scored(loaded, source, split, limit, chat_name(each, chat))
            if _is_current(path, made_from, settings | given):
                typer.echo(f"{_line(read_record(path))}, as {path} says")
                continue
        result = run_evaluation(
            loaded, each, split=split, limit=limit, batch_size=batch_size, chat=chat, record_path=path
        )
        record = score_record(loaded, result, limit)
        record["configuration"] |= given
        typer.echo(_line(record))
        if path is not None:
            write_record(path, record)


def _check_places(out: Path, tasks: list[str], model: str, adapter: str | None) -> None:
    """Make sure that the records of a model can go to a folder, and take the place of no other model's."""
    from semalign.data.task_file import task_name
    from semalign.models.located import record_name
    from semalign.results.record_paths import check_length, check_same_models

    for path in (out / f"{task_name(task)}.json" for task in tasks):
        check_length(path.name)
        check_same_models(path, student=record_name(model), adapter=adapter)


def _is_current(path: Path, made_from: Mapping[str, str], settings: Mapping[str, Any]) -> bool:
    """Return whether there is a whole record of the same model, items and settings."""
    from semalign.experiments.staleness import problem

    return problem(path, lambda _: (made_from, settings), "value") is None


def _line(record: Mapping[str, Any]) -> str:
    """Return a score in one line."""
    low, high = record["interval"]
    score = f"{record['metric']} {record['value']:.1f} [{low:.1f}, {high:.1f}], n={record['n']}"
    return f"{record['task']} {record['configuration']['split']}: {score}"
