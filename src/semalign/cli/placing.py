"""The options of every verb that loads a model: the type of its numbers, and where it goes."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, get_type_hints

import typer


def _option(metavar: str, text: str) -> Any:
    return Annotated[str | None, typer.Option(metavar=metavar, help=text)]


OPTIONS = {
    "dtype": _option(
        "float32|float16|bfloat16|auto",
        "type of weights and forward passes; auto: the checkpoint's; default: variable SEMALIGN_DTYPE, "
        "else float32 on a CPU and auto on a GPU",
    ),
    "device": _option("DEVICE", "cpu, cuda, cuda:N; default: variable SEMALIGN_DEVICE, else a GPU if there is one"),
    "device_map": _option(
        "auto|FILE.yaml",
        "spread each model over all GPUs, then CPU and disk, or as a file says; default: variable SEMALIGN_DEVICE_MAP",
    ),
}


def placed(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that also takes these options, which hold for this process and the processes that it starts."""

    @wraps(command)
    def run(*args: Any, **arguments: Any) -> None:
        from semalign.models.placement import place, read

        given = {name: arguments.pop(name, None) for name in OPTIONS}
        try:
            place(read(**given))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        command(*args, **arguments)

    own = get_type_hints(command, include_extras=True)
    added = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in OPTIONS.items()]
    plain = signature(command)
    run.__signature__ = plain.replace(parameters=[*plain.parameters.values(), *added])  # type: ignore[attr-defined]
    run.__annotations__ = {**own, **OPTIONS}
    return run
