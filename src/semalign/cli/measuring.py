"""Commands that score: one model, all methods of a profile, the points of a grid; and the command for notebooks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
import yaml

from semalign.cli.inputs import check_adapter, with_adapter
from semalign.cli.options import (
    DataRoot,
    Model,
    Profile,
    RecordFolder,
    Sandbox,
    check_models,
    check_tasks,
    choice,
    names_of,
    records_of,
    usage,
)
from semalign.cli.placing import placed
from semalign.cli.scoring import Engine, Vllm, engine_of
from semalign.data.chat import ChatName

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="RECORD", help="make only this record, as --dry-run names it; may be repeated"),
]


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


@placed
def compare(
    profile: Profile = "micro",
    out: RecordFolder = None,
    methods: Annotated[
        str | None, typer.Option(help="all, or names separated by commas; default: semalign and what the profile names")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="number of seeds, from 0; default: the profile's seeds")
    ] = None,
    only: Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what is missing or stale")] = False,
    engine: Engine = None,
    vllm: Vllm = None,
    data_root: DataRoot = None,
    sandbox: Sandbox = None,
) -> None:
    """Run every model, method, task and seed of a profile (Tables 1 and 2); keep finished records."""
    from semalign.experiments.asked_for import check_asked, layers_on_disk, of_cells, rows_on_disk
    from semalign.experiments.cells import cells, entries_of
    from semalign.experiments.currency import current, missing
    from semalign.experiments.profiles import use_profile
    from semalign.paths import results_dir

    loaded = use_profile(profile, **({} if seeds is None else {"seeds": list(range(seeds))}))
    engine_of(engine, vllm, loaded.evaluation)
    folder, names = out or results_dir() / loaded.name, names_of(methods)
    with usage("--methods"):
        entries_of(loaded, names)
    with usage("--only"):
        asked = cells(loaded, names, records := records_of(only))
    if dry_run:
        check_asked(of_cells(loaded, asked), layers_on_disk, rows_on_disk(loaded))
        absent = missing(loaded, folder, names, records)
        lines = [f"{cell.file_name}: {reason}" for cell, reason in absent.items()]
        typer.echo("\n".join(lines) or "all records are current")
        return
    from semalign.experiments import runs as experiments
    from semalign.results.comparisons import differences

    experiments.run(loaded, folder, names, records)
    shown = current(loaded, folder, names, records)
    typer.echo(experiments.summary(folder, shown).round(2).to_string(index=False))
    if not (paired := differences(folder, only=shown)).empty:
        typer.echo(paired.round(4).to_string(index=False))


@placed
def select(
    profile: Profile = "micro-tuned",
    methods: Annotated[str | None, typer.Option(help="names separated by commas; default: all with a grid")] = None,
    only: Only = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what is missing or stale")] = False,
    engine: Engine = None,
    vllm: Vllm = None,
    data_root: DataRoot = None,
    sandbox: Sandbox = None,
) -> None:
    """Choose the settings of methods and variants on validation data; print the variants to add to the profile."""
    from semalign.experiments.asked_for import check_asked, layers_on_disk, of_points, rows_on_disk
    from semalign.experiments.grids import check_entries, check_grids, points
    from semalign.experiments.profiles import use_profile
    from semalign.experiments.selection_currency import missing
    from semalign.paths import results_dir

    loaded, names = use_profile(profile), names_of(methods)
    engine_of(engine, vllm, loaded.evaluation)
    if names and loaded.selection:
        with usage("--methods"):
            check_entries(loaded, names)
    check_grids(loaded, names or list(loaded.selection))
    with usage("--only"):
        asked = points(loaded, names, records := records_of(only))
    if dry_run:
        check_asked(of_points(loaded, asked), layers_on_disk, rows_on_disk(loaded))
        absent = missing(loaded, results_dir() / f"{loaded.name}-selection", names, records)
        typer.echo("\n".join(f"{name}: {why}" for name, why in absent.items()) or "all records are current")
        return
    from semalign.experiments import selection

    table = selection.select(loaded, names=names, records=records)
    if table.empty:  # with --only
        typer.echo("no choice yet: every method and variant has points without a record")
        return
    typer.echo(table.to_string(index=False))
    typer.echo(yaml.safe_dump({"variants": selection.chosen(loaded, table)}, sort_keys=False))


@placed
def run(
    profile: Profile = "micro",
    only: Annotated[list[str] | None, typer.Option(help="first letters of a notebook's name, e.g. 03")] = None,
    force: Annotated[bool, typer.Option(help="also run up-to-date notebooks")] = False,
    engine: Engine = None,
    vllm: Vllm = None,
    data_root: DataRoot = None,
    sandbox: Sandbox = None,
) -> None:
    """Run the notebooks of a profile with papermill; skip those that are up to date."""
    from semalign.book.notebooks import run_notebooks
    from semalign.experiments.profiles import use_profile

    engine_of(engine, vllm, use_profile(profile).evaluation)
    run_notebooks(profile, only=only, force=force)
