"""The ``semalign`` command: one subcommand for each step of the paper, and others that provide models and results."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from semalign.cli import (
    analysing,
    cache,
    diagnosing,
    errors,
    evaluating,
    following,
    launched,
    measuring,
    method,
    models,
    planning,
    settings,
)
from semalign.paths import spare_home


class Verb(NamedTuple):
    """A subcommand: its function, and an example for its help."""

    command: Callable[..., None]
    example: str


PAIR = "micro-teacher micro-student"
GROUPS: dict[str, dict[str, Verb]] = {
    "Steps of the method": {
        "basis": Verb(method.basis, "micro-student --out basis.safetensors"),
        "decompose": Verb(analysing.decompose, "micro-student --prompts micro_humaneval --out runs/decomposition"),
        "attribute": Verb(method.attribute, "micro-teacher --data micro_gsm8k"),
        "pair": Verb(method.pair, f"{PAIR} --data micro_gsm8k"),
        "diagnose": Verb(diagnosing.diagnose, f"{PAIR} --data micro_gsm8k --out runs/diagnosis"),
        "transfer": Verb(method.transfer, f"{PAIR} --data micro_gsm8k --hold-out 50 --set seed=1 --out runs/first"),
        "settings": Verb(settings.settings, "sft"),
    },
    "Measure and compare": {
        "cka": Verb(analysing.cka, f"{PAIR} --prompts micro_humaneval --out runs/cka"),
        "evaluate": Verb(evaluating.evaluate, "micro-student --task micro_gsm8k --adapter runs/first"),
        "plan": Verb(planning.plan, "--profile llama2 --gpu h100"),
        "compare": Verb(measuring.compare, "--profile micro --methods semalign,sft --seeds 1"),
        "select": Verb(measuring.select, "--profile micro-tuned --dry-run"),
        "curves": Verb(following.curves, "--profile micro --task micro_gsm8k"),
        "sweep": Verb(following.sweep, "--profile micro-depth"),
        "run": Verb(measuring.run, "--profile micro --only 03"),
    },
    "Models, data and what is kept": {
        "pretrain": Verb(models.pretrain, "micro-student --out runs/models"),
        "fetch": Verb(models.fetch, "smollm2-135m"),
        "cache": Verb(cache.cache, "clear --only states --older 30"),
        "drop-layers": Verb(models.drop_layers, "micro-teacher --every 3 --out runs/shorter"),
        "slice": Verb(models.slice_width, "micro-teacher --width 96 --data micro_gsm8k --out runs/narrower"),
    },
}
COMMANDS = {name: verb.command for group in GROUPS.values() for name, verb in group.items()}


class Grouped(TyperGroup):
    """The command, whose help has the verbs in groups. It is plain text: what draws frames is slow to import."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs of each group, each with the first paragraph of its help."""
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, _first_paragraph(self.commands[name].help)) for name in group])


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())


app = typer.Typer(
    cls=Grouped,
    help="Transfer knowledge from a large language model to a smaller one by latent semantic alignment.\n\n"
    "MODEL is a folder, a GGUF file, the name of a bundled or fetched model (micro-student, smollm2-135m) "
    "or a hub id. Layer numbers start at 1.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in GROUPS.values():
    for name, (command, example) in group.items():
        checked = command if name in launched.SHARED else launched.alone(name, command)
        app.command(name, epilog=f"Example: semalign {name} {example}")(checked)


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
        typer.Option("--include", metavar="FOLDER", help="Python files with your own methods, maps or losses; layouts"),
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
