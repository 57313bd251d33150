"""Commands that score all methods of a profile or the points of a grid, and the command for notebooks."""

from typing import Annotated

import typer
import yaml

from semalign.cli.options import (
    DataRoot,
    Profile,
    RecordFolder,
    Sandbox,
    names_of,
    records_of,
    usage,
)
from semalign.cli.placing import placed
from semalign.cli.scoring import Engine, Vllm, engine_of

Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="RECORD", help="make only this record, as --dry-run names it; may be repeated"),
]


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
