"""How the command ends when something is wrong: one line and a status, without a traceback."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from semalign import stopping
from semalign.cli import launched
from semalign.cli.own_code import own_line
from semalign.errors import folded, one_line

# 70 and 75 are the "internal software error" and the "temporary failure, try again" of sysexits.h.
FAILED, USAGE, BUG, AGAIN, INTERRUPTED = 1, 2, 70, 75, 130
EXPECTED = (ValueError, OSError, ImportError, MemoryError, FloatingPointError)


def run(app: Callable[..., Any]) -> int:
    """Run a Typer app and return the status of the process.

    Mistakes of usage end with 2; other errors that the library raises on purpose (:data:`EXPECTED`, a missing sandbox,
    a GPU without enough memory, a failed notebook) with 1; a stop by the user with 130; a stop by SIGTERM or SIGUSR1,
    as batch systems send them, with 75: the same command goes on from there. What the user's own code raises, other
    than on purpose, ends with 1 too and names its line. Anything else is an error in semalign and ends with 70. Of both
    the traceback is shown with ``--verbose``.
    """
    try:
        with stopping.handled():
            status = app(prog_name="semalign", standalone_mode=False) or 0
            launched.leave()
            return status
    except stopping.Stopped as stopped:
        return _tell(str(stopped), AGAIN)
    except typer.Abort:
        return _tell("stopped", INTERRUPTED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return _ended(error)


def _ended(error: Exception) -> int:
    """Print an error in one line and return the status."""
    if hasattr(error, "format_message"):  # Typer's own
        return _usage(error)
    if isinstance(error, _of_loaded_modules()):
        return _tell(folded(error), FAILED)
    own = own_line(error, EXPECTED)
    if isinstance(error, EXPECTED) and own is None:
        return _tell(one_line(error), FAILED)
    if {"-v", "--verbose"} & set(sys.argv):
        traceback.print_exception(error)
    name = type(error).__name__
    text = f"{one_line(error).removeprefix(f'{name}: ')} (--verbose: more)"
    if own is not None:
        return _tell(f"{own} raised {name}: {text}", FAILED)
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(where.filename)}:{where.lineno}"
    return _tell(f"this is an error in semalign, please report it: {name} at {place}: {text}", BUG)


def _usage(error: Any) -> int:
    """Print Typer's error in one line; the error of a command that was given no arguments is its help."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "semalign"
    text = error.format_message()
    if context and text == context.get_help():
        typer.echo(text, err=True)
        return USAGE
    return _tell(f"{folded(text).rstrip('.')}; see `{command} --help`", USAGE)


def _of_loaded_modules() -> tuple[type[BaseException], ...]:
    """Return the expected errors of modules that take long to import, of those that are imported."""
    places = (
        ("semalign.sandbox.errors", "SandboxError"),
        ("semalign.book.notebooks", "NotebookError"),
        ("torch", "OutOfMemoryError"),
    )
    return tuple(getattr(sys.modules[module], name) for module, name in places if module in sys.modules)


def _tell(message: str, status: int) -> int:
    typer.secho(f"{launched.prefix()}: {message}", fg="red", err=True)
    return status
