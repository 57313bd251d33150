"""A plan as text and as JSON: a line for the jobs that differ in their seed only, what does not fit, and the totals."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from semalign.experiments.profiles import Profile
from semalign.planning.job import KEPT, Job
from semalign.planning.jobs import with_left_out
from semalign.planning.machines import GB, USABLE, Machine
from semalign.planning.remedies import remedies
from semalign.planning.scoring import LAUNCH
from semalign.planning.setup import READ, Options
from semalign.planning.shapes import shapes_of
from semalign.planning.stored import States
from semalign.planning.texts import ProfileTexts

HEADER = ("job", "runs", "GPU memory", "in phase", "host", "disk", "FLOPs", "hours", "GPUs")


class Totals(NamedTuple):
    """Sums over all jobs: number, GPU hours, operations, and bytes of models, states (each once) and records."""

    jobs: int
    gpu_hours: float
    flops: int
    disk: int


class Report(NamedTuple):
    """A plan with what it assumes, what makes the jobs fit that do not, its totals, and what is left out of it."""

    jobs: list[Job]
    assumptions: list[str]
    remedies: Mapping[str, str]
    totals: Totals
    left_out: list[str]

    def table(self) -> list[tuple[str, ...]]:
        """Return the header and a row for the jobs that differ in name only, then the totals."""
        rows = [_row(list(same)) for _, same in groupby(self.jobs, key=_alike)]
        number, hours, work, disk = self.totals
        total = ("total", str(number), "", "", "", size(disk), f"{work:.1e}", f"{hours:,.1f} GPU", "")
        return [HEADER, *rows, total]

    def text(self) -> str:
        """Return the plan for a terminal."""
        return "\n".join([*aligned(self.table()), *self.left_out, *self.problems(), *self.assumptions])

    def problems(self) -> list[str]:
        """Return a line for the jobs of each entry that do not fit, with what makes them fit."""
        found: dict[tuple[str, str], list[Job]] = {}
        for job in self.jobs:
            if job.name in self.remedies:
                found.setdefault((job.entry, self.remedies[job.name]), []).append(job)
        return [
            f"does not fit: {entry} needs up to {size(most.gpu_memory)}, in {most.largest.name} ({len(jobs)} jobs); "
            f"what fits: {remedy}"
            for (entry, remedy), jobs in found.items()
            for most in [max(jobs, key=lambda job: job.gpu_memory)]
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the plan for machines."""
        keys = ("name", "kind", "gpu_memory", "host_memory", "disk", "flops", "hours", "gpus")
        jobs = [
            {key: getattr(job, key) for key in keys}
            | {"phases": [phase._asdict() for phase in job.phases], "remedy": self.remedies.get(job.name)}
            for job in self.jobs
        ]
        said = {"left_out": self.left_out, "assumptions": self.assumptions}
        return {"jobs": jobs, "totals": self.totals._asdict(), **said}


def report(profile: Profile, names: Sequence[str] | None, machine: Machine, options: Options) -> Report:
    """Return the plan of a profile; arguments and errors as in :func:`semalign.planning.plan`."""
    texts = ProfileTexts(profile)
    jobs, left_out = with_left_out(profile, names, machine, options, texts)
    found = remedies(profile, jobs, machine, options, texts)
    return Report(jobs, assumptions(profile, jobs, machine, options, texts), found, totals(jobs), left_out)


def totals(jobs: Sequence[Job]) -> Totals:
    """Return the sums over jobs; states that several jobs store count once, and so do the models."""
    stored: dict[States, int] = {}
    for job in jobs:
        stored |= job.states
    names = {name for job in jobs if job.task for name in (job.teacher, job.student) if name}
    models = sum(shapes_of(name).parameters * shapes_of(name).dtype.itemsize for name in names)
    hours = sum(job.hours * job.gpus for job in jobs)
    disk = models + sum(stored.values()) + KEPT * len(jobs)
    return Totals(len(jobs), hours, sum(job.flops for job in jobs), disk)


def assumptions(
    profile: Profile, jobs: Sequence[Job], machine: Machine, options: Options, texts: ProfileTexts
) -> list[str]:
    """Return what the numbers of a plan rest on, a line each."""
    names = list(dict.fromkeys(name for job in jobs if job.task for name in (job.teacher, job.student) if name))
    sources = ", ".join(f"{name.rpartition('/')[2]} ({shapes_of(name).source})" for name in names)
    types = {str(options.type_of(shapes_of(name))).removeprefix("torch.") for name in names}
    lengths = (f"{task}: {_lengths(texts, task)}" for task in profile.tasks)
    return [
        f"estimate for {machine.gpus} x {machine.name} with {size(machine.memory)}, {USABLE:.0%} of it usable; "
        f"{machine.half / 1e12:g} TFLOP/s in half precision, {machine.single / 1e12:g} in float32, "
        f"{machine.efficiency:.0%} of it reached; {machine.bandwidth / 1e12:g} TB/s",
        *([f"models in {' and '.join(sorted(types))}: {sources}; read at {READ / GB:g} GB/s"] if names else []),
        "layers are known only after attribution: worst case, the last teacher layer and the first student layer, "
        "unless the profile names them",
        "generation by transformers: counted as if every batch went on to its longest answer; a step takes at least "
        f"{LAUNCH * 1e3:g} ms a layer",
        *lengths,
    ]


def _lengths(texts: ProfileTexts, task: str) -> str:
    training, test = texts.training(task), texts.test(task)
    rows, items = (f"{part.tokens / len(part):.0f}" for part in (training, test))
    said = training.said if training.said == test.said else f"{training.said}; items {test.said}"
    return f"{len(training)} rows of {rows} tokens, {len(test)} items of {items} ({said})"


def _alike(job: Job) -> tuple[Any, ...]:
    return job.kind, job.label, job.gpu_memory, job.flops


def _row(jobs: list[Job]) -> tuple[str, ...]:
    job = jobs[0]
    numbers = (size(job.gpu_memory), job.largest.name, size(job.host_memory), size(job.disk), f"{job.flops:.1e}")
    return (job.label, str(len(jobs)), *numbers, f"{job.hours:.2f}", str(job.gpus))


def size(number: int | float) -> str:
    """Return bytes for readers: ``38.2 GB``, ``4 MB``."""
    return f"{number / GB:.1f} GB" if number >= GB / 10 else f"{number / 1e6:.0f} MB"


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return lines with columns of one width: texts on the left, numbers on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = {0, HEADER.index("in phase")}
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
