"""What makes a job fit that does not: the first choice that is enough, else all of them, else more GPUs."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch

from semalign.experiments.profiles import Profile
from semalign.planning.job import Job
from semalign.planning.jobs import with_left_out
from semalign.planning.machines import Machine
from semalign.planning.setup import Options
from semalign.planning.texts import ProfileTexts


class Remedy(NamedTuple):
    """A choice that saves memory, in words, and as options of a plan."""

    text: str
    options: Options


CHOICES = (
    Remedy("micro_batch_size: 1", Options(micro_batch_size=1)),
    Remedy("evaluation batch_size: 8", Options(evaluation_batch_size=8)),
    Remedy("evaluation batch_size: 1", Options(evaluation_batch_size=1)),
    Remedy("activation_checkpointing: true", Options(activation_checkpointing=True)),
    Remedy("dtype bfloat16", Options(dtype=torch.bfloat16)),
)
GPU_SIZES = (24, 40, 48, 80, 96, 141, 192, 288)  # GB, of what is sold
ALL = Remedy(
    "micro_batch_size: 1, evaluation batch_size: 1, activation_checkpointing: true and dtype bfloat16 together",
    Options(torch.bfloat16, 1, True, 1),
)


def fits(job: Job, machine: Machine) -> bool:
    """Return whether a job has its peak on the GPUs that it may use."""
    return job.gpus <= machine.gpus and job.gpu_memory <= job.gpus * machine.usable


def remedies(
    profile: Profile, jobs: Sequence[Job], machine: Machine, options: Options, texts: ProfileTexts
) -> dict[str, str]:
    """Return what makes each job fit that does not, by its name.

    Args:
        profile: the profile.
        jobs: its jobs under ``options``.
        machine: where they run.
        options: what is chosen already, which a remedy adds to.
        texts: the lengths of the profile's texts.
    """
    left = {job.name: job for job in jobs if not fits(job, machine)}
    found: dict[str, str] = {}
    for remedy in (*CHOICES, ALL) if left else ():
        again, _ = with_left_out(profile, _entries(left.values()), machine, _both(options, remedy.options), texts)
        for job in again:
            if job.name in left and fits(job, machine):
                found[job.name] = remedy.text
                del left[job.name]
    return found | {name: _more(job, machine) for name, job in left.items()}


def _more(job: Job, machine: Machine) -> str:
    if job.spreads:
        return f"{job.gpus} GPUs of this size with device_map auto"
    needed = math.ceil(job.gpu_memory * machine.memory / machine.usable / 1e9)
    size = next((size for size in GPU_SIZES if size >= needed), needed)
    return f"a GPU of {size} GB, as this method compares weights of different layers, which no device_map may spread"


def _entries(jobs: Iterable[Job]) -> list[str]:
    return list(dict.fromkeys(job.entry for job in jobs if job.kind in ("cell", "selection")))


def _both(options: Options, more: Options) -> Options:
    given = {key: value for key, value in vars(more).items() if value is not None}
    return Options(**{**vars(options), **given})
