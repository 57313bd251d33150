"""The command that says what a profile will need, before anything runs."""

import re
from pathlib import Path
from typing import Annotated

import typer

from semalign.cli.options import DataRoot, Profile, choice, names_of, usage
from semalign.outputs import check_file

UNITS = {"GB": 10**9, "GIB": 2**30, "MB": 10**6, "MIB": 2**20}


def bytes_of(text: str | None) -> int | None:
    """Return the bytes of a size such as ``80GB`` or ``40 GiB``; ``typer.BadParameter`` for anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([GM]i?B)\s*", text, re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise typer.BadParameter(f"{text!r} is no size: give a number with GB, GiB, MB or MiB, such as 80GB")
    return round(float(found[1]) * UNITS[found[2].upper()])


def plan(
    profile: Profile = "micro",
    methods: Annotated[
        str | None, typer.Option(help="all, or names separated by commas; default: those of `semalign compare`")
    ] = None,
    gpu: Annotated[str, typer.Option(help="a100 or h100: its speed")] = "a100",
    gpus: Annotated[int, typer.Option(min=1, help="GPUs that one job may use")] = 1,
    gpu_memory: Annotated[str | None, typer.Option(help="memory of one GPU, e.g. 40GB; default: the GPU's")] = None,
    dtype: Annotated[str | None, typer.Option(help="type of the models; default: the checkpoints'")] = None,
    efficiency: Annotated[float, typer.Option(min=0.01, max=1, help="share of the GPU's peak that is reached")] = 0.4,
    json: Annotated[Path | None, typer.Option(help="also write every job to a JSON file")] = None,
    data_root: DataRoot = None,
) -> None:
    """Estimate memory, disk, FLOPs and hours of every job of a profile, without weights, network or GPU."""
    choice(gpu, "a100", "h100")
    choice(dtype or "float32", "float32", "bfloat16", "float16")
    memory = bytes_of(gpu_memory)
    if json is not None:
        json = check_file(json)
    from semalign.experiments.cells import entries_of
    from semalign.experiments.profiles import load_profile

    loaded, names = load_profile(profile), names_of(methods)
    with usage("--methods"):
        entries_of(loaded, names)
    import torch

    from semalign.files import write_json
    from semalign.planning import MACHINES, Options
    from semalign.planning.report import report

    machine = MACHINES[gpu]
    machine = machine._replace(memory=memory or machine.memory, gpus=gpus, efficiency=efficiency)
    found = report(loaded, names, machine, Options(getattr(torch, dtype) if dtype else None))
    typer.echo(found.text())
    if json is not None:
        write_json(json, found.as_json())
