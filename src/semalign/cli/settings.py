"""The command that lists what ``--set`` takes."""

import json
from typing import Annotated, Any

import typer

from semalign.cli.options import usage


def settings(
    method: Annotated[str, typer.Argument(help="a method, as in transfer --method")] = "semalign",
) -> None:
    """List the settings of a method with their defaults: what --set takes.

    Values are read as YAML: null is none, true and false are truth values, [6, 7] is a list.
    """
    from semalign.methods.registry import method as method_of
    from semalign.methods.setting_lines import setting_lines

    with usage("METHOD"):
        chosen = method_of(method).settings
    for line in setting_lines(chosen, every=True):
        field = chosen.model_fields[line.name]
        default = line.default if field.is_required() else _yaml(field.get_default(call_default_factory=True))
        typer.echo(f"{line.name}={default}  ({line.values}): {line.meaning}")


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
