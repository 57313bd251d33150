"""Commands for the steps of the paper, one for each."""

import logging
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from semalign.cli.inputs import (
    adapted,
    check_adapter,
    mapping_of,
    rows_of_data,
    rows_to_train_on,
    settings_of,
    task_of,
)
from semalign.cli.options import (
    Attributed,
    Data,
    Model,
    OutFile,
    OutFolder,
    Student,
    Teacher,
    check_data,
    check_models,
    choice,
    layers_of,
    usage,
)
from semalign.cli.placing import placed
from semalign.cli.summary import summary_lines


@placed
def basis(
    model: Model,
    out: OutFile,
    side: Annotated[str, typer.Option(help="output (LM head), input (embeddings) or random")] = "output",
    fold_norm: Annotated[bool, typer.Option(help="fold the final norm's gain into the head")] = False,
    unique_rows: Annotated[bool, typer.Option(help="count identical vocabulary rows once")] = False,
) -> None:
    """Compute a model's semantic basis (Section 3.1) and save it."""
    wanted = choice(side, "output", "input", "random")
    if fold_norm and wanted != "output":
        raise typer.BadParameter(f"--fold-norm belongs to the output side, not to {wanted}")
    check_models(model)
    from semalign import SemanticBasis, load_model

    made = SemanticBasis.from_model(load_model(model), wanted, fold_norm=fold_norm, unique_rows=unique_rows)
    made.save(out)
    m, width = made.vectors.shape
    tied = "tied" if made.tied else "untied"
    typer.echo(f"{out}: {m} atoms in {width} dimensions, rank {made.rank} by {made.method}, {tied} head")


@placed
def attribute(
    model: Model,
    data: Data,
    examples: Annotated[int, typer.Option(min=1, help="number of rows")] = 32,
    interface: Attributed = "mlp",
    aggregation: Annotated[str, typer.Option(help="absolute or signed")] = "absolute",
    method: Annotated[
        str, typer.Option(help="gradient_x_activation, integrated_gradients or ablation")
    ] = "gradient_x_activation",
) -> None:
    """Score a model's layers, by default by Layer Gradient x Activation (Section 4.1).

    Several processes (accelerate launch, torchrun) share out the batches; the first one prints.
    """
    from semalign.settings import Aggregation, AttributionMethod

    choice(aggregation, *get_args(Aggregation))
    choice(method, *get_args(AttributionMethod))
    check_models(model)
    from semalign import attribute_layers, load_model
    from semalign.data.rows import batches
    from semalign.targets.choice import ATTRIBUTION_BATCH

    rows = rows_of_data(data, "train", examples, model)
    loaded = load_model(model)
    encoded = loaded.encode(rows)
    parts = batches(encoded, ATTRIBUTION_BATCH)
    scores = attribute_layers(loaded, parts, interface, aggregation=aggregation, method=method).tolist()
    typer.echo("layer  score")
    for k, score in enumerate(scores, start=1):
        typer.echo(f"{k:5d}  {score:.6g}{'  <- critical' if score == max(scores) else ''}")


def pair(
    teacher: Teacher,
    student: Student,
    critical: Annotated[
        int | None, typer.Option(min=1, help="critical teacher layer to pair with a student layer")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", "-d", callback=check_data, help="task or file of rows: how much of their responses is shared"
        ),
    ] = None,
) -> None:
    """Print the layer map of a teacher and a student (Section 4.1), and the atoms that they share.

    A number of layers can stand for a model; it has no atoms.
    """
    named = layers_of(teacher) is None and layers_of(student) is None
    if data is not None and not named:
        raise typer.BadParameter("--data needs two models, not numbers of layers")
    from semalign.targets.pairing import LayerMap

    layer_map = LayerMap(_n_layers(teacher), _n_layers(student))
    typer.echo(str(layer_map))
    if critical is not None:
        layer, k = layer_map.pair(critical)
        typer.echo(f"critical teacher layer {critical}: teacher layer {layer} supervises student layer {k}")
    if named:
        from semalign.targets.vocabulary_report import compare_vocabularies, report_lines

        rows = [] if data is None else rows_of_data(data, "train", None, student)
        typer.echo("\n".join(report_lines(compare_vocabularies(teacher, student, rows))))


def _n_layers(model: str) -> int:
    if (number := layers_of(model)) is not None:
        return number
    check_models(model)
    from semalign.models.gguf import gguf_outline
    from semalign.models.located import locate
    from semalign.models.pretrained import load_config

    source = locate(model)
    config = gguf_outline(Path(source))[0] if source.endswith(".gguf") else load_config(source)
    return config.get_text_config().num_hidden_layers


@placed
def transfer(
    teacher: Teacher,
    student: Student,
    data: Data,
    out: OutFolder,
    method: Annotated[str, typer.Option("--method", "-m", help="a method of the registry")] = "semalign",
    adapter: Annotated[
        Path | None, typer.Option(help="LoRA adapter of the student to start from; the result holds both")
    ] = None,
    layer_map: Annotated[
        Path | None, typer.Option(help="YAML file with lines STUDENT LAYER: TEACHER LAYER that replace the pairing")
    ] = None,
    validation: Annotated[
        str | None, typer.Option(callback=check_data, help="held-out rows: a file, or a task for its validation split")
    ] = None,
    hold_out: Annotated[
        int | None, typer.Option(min=1, help="number of rows to hold out, taken after the training rows")
    ] = None,
    examples: Annotated[int | None, typer.Option(min=1, help="number of rows to train on, from the first")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="KEY=VALUE, e.g. seed=1; `semalign settings METHOD` lists the keys"),
    ] = None,
) -> None:
    """Align and steer: train paired student layers on the teacher's aligned states (Sections 4.2-4.3).

    Several processes (accelerate launch, torchrun) share out attribution, states and training; the first one writes.
    """
    if validation and hold_out:
        raise typer.BadParameter("give --validation or --hold-out, not both")
    check_adapter(adapter)
    chosen = _chosen(method, settings or [], layer_map)
    check_models(teacher, student)
    from semalign import run_method

    rows, held_out = rows_to_train_on(data, examples, hold_out or 0, student)
    if validation is not None:
        held_out = rows_of_data(validation, "validation", None, student)
    start = student if adapter is None else adapted(student, adapter)
    logging.getLogger("semalign.training.progress").setLevel(logging.INFO)
    result = run_method(method, teacher, start, rows, output_dir=out, validation=held_out, task=task_of(data), **chosen)
    typer.echo("\n".join(summary_lines(result.record, out)))


def _chosen(method: str, settings: list[str], layer_map: Path | None) -> dict[str, Any]:
    """Return the settings that are given, by ``--set`` and a layer map, once the method has taken them."""
    chosen = settings_of(settings)
    if layer_map is not None:
        chosen["layer_map"] = mapping_of(layer_map)
    from semalign.methods.registry import method as method_of

    with usage("--method"):
        found = method_of(method)
    if layer_map is not None:
        with usage("--layer-map", f"; it is in {layer_map}"):
            found.settings(layer_map=chosen["layer_map"])
    with usage("--set", f"; `semalign settings {method}` lists them"):
        found.settings(**chosen)
    return chosen
