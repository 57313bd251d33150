"""The ``semalign`` command: one subcommand for each step of the paper, and others that provide models and results."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from semalign.cli import diagnosing, errors, launched, measuring, method, models, planning
from semalign.paths import spare_home

app = typer.Typer(
    help="Transfer knowledge from a large language model to a smaller one by latent semantic alignment.\n\n"
    "MODEL is a folder, a GGUF file, the name of a bundled or fetched model (micro-student, smollm2-135m) "
    "or a hub id. Layer numbers start at 1.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: dict[str, Callable[..., None]] = {
    "basis": method.basis,
    "decompose": method.decompose,
    "attribute": method.attribute,
    "pair": method.pair,
    "diagnose": diagnosing.diagnose,
    "transfer": method.transfer,
    "cka": method.cka,
    "evaluate": measuring.evaluate,
    "plan": planning.plan,
    "compare": measuring.compare,
    "select": measuring.select,
    "run": measuring.run,
    "pretrain": models.pretrain,
    "fetch": models.fetch,
    "drop-layers": models.drop_layers,
    "slice": models.slice_width,
}
for name, command in COMMANDS.items():
    app.command(name)(command if name in launched.SHARED else launched.alone(name, command))


def _print_version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"semalign {version('semalign')}")
        raise typer.Exit
    return wanted


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log progress messages")] = False,
    included: Annotated[
        list[Path] | None,
        typer.Option("--include", metavar="FOLDER", help="Python files with your own methods, maps or losses"),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Set up logging and folders, and import the user's own files."""
    spare_home()
    if included:
        from semalign.registry import include

        for folder in included:
            include(folder)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("semalign").setLevel(logging.INFO if verbose else logging.WARNING)
    launched.hush()


def entry_point() -> None:
    """Run the command and end the process with its status; an error is one line (:func:`semalign.cli.errors.run`)."""
    raise SystemExit(errors.run(app))
