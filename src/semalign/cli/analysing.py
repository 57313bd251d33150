"""Commands that measure states on prompts: how well they survive decomposition, and how alike two models' are."""

from pathlib import Path
from typing import Annotated

import typer

from semalign.cli.inputs import check_adapter, with_adapter
from semalign.cli.options import Interface, Model, OutStem, Seed, Student, Teacher, check_models
from semalign.cli.placing import placed

Prompts = Annotated[str, typer.Option(help="humaneval, a task name, or a file with prompts")]


@placed
def decompose(
    model: Model,
    out: OutStem,
    prompts: Prompts = "humaneval",
    seed: Seed = 0,
) -> None:
    """Measure how well states survive decomposition and recomposition (Section 3.2, Fig. 2)."""
    check_models(model)
    from semalign import load_model
    from semalign.analysis.decomposition_figure import write_decomposition
    from semalign.data.prompts import read_prompts

    read_prompts(prompts)  # finds an error in them before the model is loaded
    record = write_decomposition(load_model(model), prompts, out, seed=seed)
    typer.echo(f"{out}.csv and {out}.json: {record['metric']} {record['value']:.3f} over {record['n']} tokens")


@placed
def cka(
    teacher: Teacher,
    student: Student,
    out: OutStem,
    prompts: Prompts = "humaneval",
    adapter: Annotated[Path | None, typer.Option(help="PEFT adapter folder of the student after a transfer")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first prompts")] = None,
    interface: Interface = "layer",
    seed: Seed = 0,
) -> None:
    """Measure the similarity of all layers of two models, before and after alignment (Section 5.3, Fig. 4 and 6)."""
    check_adapter(adapter)
    check_models(teacher, student)
    from semalign import load_model
    from semalign.analysis.cka_figure import write_cka
    from semalign.analysis.paired_states import StateOptions
    from semalign.data.prompts import read_prompts

    read_prompts(prompts)  # finds an error in them before a model is loaded
    pair = load_model(teacher), load_model(student)
    transferred = None if adapter is None else with_adapter(student, adapter, "transformers", {})
    options = StateOptions(interface=interface, seed=seed)
    record = write_cka(*pair, prompts, out, options, transferred=transferred, limit=limit)
    typer.echo(f"{out}.csv and {out}.json: {record['value']:.2f}, {record['metric']}; {record['n']} tokens")
