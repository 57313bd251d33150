"""What the command does in one of several processes, as ``accelerate launch`` and ``torchrun`` start them."""

import logging
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

SHARED = ("transfer", "attribute")


def hush() -> None:
    """Keep all processes but the first quiet: no output, and of messages only errors."""
    if _number():
        sys.stdout = open(os.devnull, "w")
        logging.getLogger("semalign").setLevel(logging.ERROR)


def alone(name: str, command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that refuses to run in several processes, each of which would do all of it.

    The first process raises ``typer.BadParameter``; the others end with the same status.
    """

    @wraps(command)
    def checked(*args: Any, **kwargs: Any) -> None:
        if (number := _number()) is None:
            return command(*args, **kwargs)
        if number:
            raise typer.Exit(2)
        from semalign.models.processes import check_alone

        try:
            check_alone(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return checked


def _number() -> int | None:
    """Return the number of this process, from 0; None if it is alone."""
    if "WORLD_SIZE" not in os.environ:  # what only prints loads no model library
        return None
    from semalign.models import processes

    return None if processes.count() == 1 else processes.number()


def prefix() -> str:
    """Return what stands before an error: in one of several processes, the number of this one."""
    if (number := _number()) is None:
        return "semalign"
    return f"semalign, process {number + 1} of {os.environ['WORLD_SIZE']}"


def leave() -> None:
    """Leave the group of processes after the work is done."""
    if (processes := sys.modules.get("semalign.models.processes")) is not None:
        processes.stop()
