"""The command that measures, before any training, whether alignment can carry anything between two models."""

from typing import Annotated

import typer

from semalign.cli.inputs import rows_of_data, settings_of, task_of
from semalign.cli.options import Data, OutFolder, Student, Teacher, check_models, usage
from semalign.cli.placing import placed


@placed
def diagnose(
    teacher: Teacher,
    student: Student,
    data: Data,
    out: OutFolder,
    examples: Annotated[
        int, typer.Option(min=4, help="number of rows: half of them fit maps, the other half is measured")
    ] = 64,
    layer: Annotated[
        list[int] | None, typer.Option(min=1, help="student layer of the patch test; may be repeated; default: four")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="KEY=VALUE, e.g. interface=layer; `semalign settings` lists the keys"),
    ] = None,
) -> None:
    """Measure before any training whether alignment can carry anything between two models, and say what to run.

    Do the atoms correspond? What do aligned states say, read by the student's head? What do they do in its place?
    """
    from semalign import TransferSettings

    with usage("--set", "; `semalign settings` lists them"):
        chosen = TransferSettings(**settings_of(settings or []))
    check_models(teacher, student)
    from semalign.models.located import record_name
    from semalign.results.record_paths import check_same_models

    check_same_models(out / "diagnosis.json", teacher=record_name(teacher), student=record_name(student))
    from semalign.analysis.diagnosis import diagnose as run
    from semalign.analysis.diagnosis.report import record, text, write
    from semalign.models.pair import Pair
    from semalign.targets.vocabulary_report import report_lines

    rows, pair = rows_of_data(data, "train", examples, student), Pair(teacher, student)
    found = run(pair, rows, settings=chosen, layers=layer)
    write(out, found, record(found, pair, rows, task_of(data), chosen))
    typer.echo("\n".join(report_lines(found.vocabulary)))
    typer.echo(text(found))
    typer.echo(f"record, tables and pictures in {out}; {found.seconds:.0f} s")
