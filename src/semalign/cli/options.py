"""Arguments and options that several commands share, and the checks of their values."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from semalign import outputs
from semalign.errors import nearest
from semalign.experiments.profile_paths import profile_path
from semalign.paths import use_data_root

Model = Annotated[str, typer.Argument(metavar="MODEL", help="folder, .gguf file, known name or hub id")]
Teacher = Annotated[str, typer.Argument(metavar="TEACHER", help="the larger model")]
Student = Annotated[str, typer.Argument(metavar="STUDENT", help="the smaller model")]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root", callback=use_data_root, help="folder with data, searched before those of SEMALIGN_DATA"
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="seed of all random numbers")]
LARGEST_MODEL = 10_000  # layers


def _interface(name: str) -> str:
    from semalign.settings import Interface as InterfaceName

    return choice(name, *get_args(InterfaceName))


def _attributed(name: str) -> str:
    from semalign.settings import InterfaceOrHeads

    return choice(name, *get_args(InterfaceOrHeads))


Interface = Annotated[str, typer.Option(callback=_interface, help="attention, mlp, residual or layer")]
Attributed = Annotated[
    str,
    typer.Option("--interface", callback=_attributed, help="attention, mlp, residual, layer or heads (the best head)"),
]


def given_path(text: str) -> Path:
    """Return the path of an output; a blank one, which an unset variable gives, would be the working folder."""
    if not text.strip():
        raise typer.BadParameter("the path is blank: name a folder or file, or give a dot for the working folder")
    return Path(text)


def check_output(path: Path | None) -> Path | None:
    """Return the path of an output folder, if it is given and can be written."""
    return None if path is None else outputs.check_folder(path)


def _file(path: Path) -> Path:
    return outputs.check_file(path)


def _stem(path: Path) -> Path:
    return outputs.check_folder(path.parent) / path.name


def check_models(*names: str) -> None:
    """Raise ``FileNotFoundError`` for a name without a model, here or on the hub, before the library is loaded."""
    from semalign.models.located import check_name

    for name in names:
        check_name(name)


def check_profile(name: str | None) -> str | None:
    """Return a profile's name if there is such a profile."""
    if name is not None:
        profile_path(name)
    return name


def check_data(name: str | None) -> str | None:
    """Tell of a missing file or an unknown task before the library is loaded, which takes seconds."""
    if name is None or not name.strip() or Path(name).exists():
        return name
    if Path(name).suffix:
        raise FileNotFoundError(f"no data file {name}: give a task or a file of rows")
    return check_tasks([name])[0]


def check_tasks(names: list[str]) -> list[str]:
    """Return names and paths of tasks, each of which has been read; this loads no library of models."""
    from semalign.data.task_file import task_file, task_name

    for name in names:
        task_file(name)
    if len({task_name(name) for name in names}) < len(names):
        raise typer.BadParameter("two tasks have the same name, which also names their records")
    return names


Data = Annotated[
    str,
    typer.Option(
        "--data",
        "-d",
        callback=check_data,
        help="task name, task file, or file of rows: .jsonl, .json, .csv or .parquet",
    ),
]
Profile = Annotated[
    str, typer.Option("--profile", "-p", callback=check_profile, help="micro, small, llama2, or a YAML file")
]


# Where results go is checked when options are read, before anything long starts.
def _out(callback: Callable[..., Any], text: str) -> Any:
    return typer.Option("--out", "-o", parser=given_path, metavar="<path>", callback=callback, help=text)


OutFolder = Annotated[Path, _out(check_output, "folder of the result")]
OutFile = Annotated[Path, _out(_file, "safetensors file to write")]
OutStem = Annotated[Path, _out(_stem, "path of the two output files, without a suffix")]
RecordFolder = Annotated[Path | None, _out(check_output, "folder of records, and samples if scored")]


def _use_sandbox(mode: str | None) -> str | None:
    """Set the sandbox mode of this process and the processes that it starts."""
    if mode is not None:
        os.environ["SEMALIGN_SANDBOX"] = choice(mode, "bubblewrap", "limits")
    return mode


Sandbox = Annotated[
    str | None,
    typer.Option(
        callback=_use_sandbox,
        metavar="bubblewrap|limits",
        help="how generated programs are isolated; limits isolates less; "
        "default: variable SEMALIGN_SANDBOX, else bubblewrap",
    ),
]


def choice(value: str, *allowed: str) -> Any:
    """Return a value unchanged if it is allowed; raise ``typer.BadParameter`` otherwise."""
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}{nearest(value, allowed)}")
    return value


@contextmanager
def usage(option: str, more: str = "") -> Iterator[None]:
    """Turn a ``ValueError`` about the value of an option into an error of usage, with more to say at its end."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(f"{error}{more}", param_hint=option) from error


def names_of(text: str | None) -> list[str] | None:
    """Return the names in a list separated by commas."""
    return None if text is None else [name.strip() for name in text.split(",")]


def records_of(names: list[str] | None) -> list[str] | None:
    """Return names of records, each given with or without ``.json``."""
    return None if names is None else [name.removesuffix(".json") for name in names]


def layers_of(text: str) -> int | None:
    """Return the number of layers that stands for a model, or None if the text is a model's name."""
    if not text.isascii() or not text.isdecimal():
        return None
    if not 1 <= int(text[:9]) <= LARGEST_MODEL or len(text) > 9:
        raise typer.BadParameter(f"a model has 1 to {LARGEST_MODEL} layers, not {text[:20]}")
    return int(text)
