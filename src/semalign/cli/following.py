"""Commands that follow trainings: curves over the steps, and a sweep over all points of a profile's grids."""

from typing import Annotated

import typer

from semalign.cli.measuring import Only
from semalign.cli.options import DataRoot, Profile, RecordFolder, Sandbox, names_of, records_of, usage
from semalign.cli.placing import placed

Task = Annotated[list[str] | None, typer.Option("--task", "-t", help="only this task of the profile; may be repeated")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="only list what is missing or stale")]


@placed
def curves(
    profile: Profile = "micro",
    out: RecordFolder = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="names separated by commas; default: SemAlign, its terms alone, permuted atoms, cross-entropy"
        ),
    ] = None,
    task: Task = None,
    seeds: Annotated[int, typer.Option(min=1, help="number of seeds, from 0")] = 1,
    steps: Annotated[str | None, typer.Option(help="measure after these steps, e.g. 0,15,80,400")] = None,
    scored: Annotated[str | None, typer.Option(help="score after these of them")] = None,
    dry_run: DryRun = False,
    data_root: DataRoot = None,
    sandbox: Sandbox = None,
) -> None:
    """Measure NLL, layer cosine and score over the steps of a training; keep finished records."""
    from semalign.experiments.cells import entries_of
    from semalign.experiments.curves import SCORED, STEPS, Curves
    from semalign.experiments.curves import run as run_curves
    from semalign.experiments.profiles import use_profile

    loaded, names = use_profile(profile, seeds=list(range(seeds))), names_of(methods)
    measured = STEPS if steps is None else _numbers(steps, "--steps")
    if not measured[-1]:
        raise typer.BadParameter("step 0 is before the training: give a later one too", param_hint="--steps")
    chosen = [n for n in SCORED if n in measured] if scored is None else _numbers(scored, "--scored")
    if absent := [n for n in chosen if n not in measured]:
        raise typer.BadParameter(f"step {absent[0]} is scored but not among --steps", param_hint="--scored")
    with usage("--methods"):
        entries_of(loaded, names)
    if unknown := [name for name in task or [] if name not in loaded.tasks]:
        raise typer.BadParameter(f"no task {unknown[0]!r}: choose from {', '.join(loaded.tasks)}", param_hint="--task")
    kept = {name: each for name, each in loaded.tasks.items() if task is None or name in task}
    wanted = Curves(loaded.model_copy(update={"tasks": kept}), names, out, tuple(measured), tuple(chosen))
    if dry_run:
        _show({cell.file_name: reason for cell in wanted.cells if (reason := wanted.reason(cell))})
        return
    typer.echo(run_curves(wanted).round(4).to_string(index=False))


def _numbers(text: str, option: str) -> list[int]:
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or found[0] < 0:
        raise typer.BadParameter("give numbers of steps separated by commas, such as 0,15,80", param_hint=option)
    return found


def _show(missing: dict[str, str]) -> None:
    typer.echo("\n".join(f"{name}: {why}" for name, why in missing.items()) or "all records are current")


@placed
def sweep(
    profile: Profile = "micro-depth",
    out: RecordFolder = None,
    only: Only = None,
    dry_run: DryRun = False,
    data_root: DataRoot = None,
) -> None:
    """Train at every point of a profile's grids and measure held-out NLL, without scores; keep finished records."""
    from semalign.experiments.grids import check_points, points
    from semalign.experiments.profiles import use_profile
    from semalign.experiments.sweep import reasons, sweep_folder
    from semalign.experiments.sweep import run as run_sweep

    loaded, records = use_profile(profile), records_of(only)
    check_points(loaded, list(loaded.selection))
    with usage("--only"):
        wanted = points(loaded, None, records)
    if dry_run:
        reason_of = reasons(loaded, out or sweep_folder(loaded))
        _show({point.file_name: reason for point in wanted if (reason := reason_of(point))})
        return
    typer.echo(run_sweep(loaded, out, records).round(4).to_string(index=False))
