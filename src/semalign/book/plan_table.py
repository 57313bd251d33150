"""Tables of what the paper's settings need, computed when the book is built, and plans against measurements."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from semalign.book.markdown import table
from semalign.experiments.profiles import load_profile
from semalign.files import read_json
from semalign.paths import results_dir
from semalign.planning import MACHINES, Job, Options, plan
from semalign.planning.machines import GB
from semalign.planning.report import report

AS_THEY_ARE = "models as they are"
TRANSFORMERS, EITHER = "Transformers", "Transformers or vLLM"


class Step(NamedTuple):
    """A step of a user: what runs it, its command, and its phases in a plan."""

    name: str
    engine: str
    command: str
    phases: frozenset[str]


STEPS = (
    Step("attribute", TRANSFORMERS, "semalign attribute", frozenset({"attribution"})),
    Step(
        "make bases, map and targets",
        TRANSFORMERS,
        "semalign transfer",
        frozenset({"bases and map", "teacher states", "student prefix"}),
    ),
    Step(
        "train, baselines included",
        TRANSFORMERS,
        "semalign transfer --method NAME",
        frozenset({"training", "neurons", "hypernetwork", "sensitivities"}),
    ),
    Step("answer benchmarks", EITHER, "semalign evaluate --engine NAME", frozenset({"choices", "generation"})),
    Step("decompose states", TRANSFORMERS, "semalign decompose", frozenset({"decomposition"})),
    Step("compare layers", TRANSFORMERS, "semalign cka", frozenset({"cka"})),
    Step("read the models, for each job", EITHER, "semalign compare", frozenset({"read"})),
)


def steps_table() -> str:
    """Return the plan of the profile ``llama2`` with a line for each step of a user, in MyST."""
    planned = [(phase, job.gpus) for job in plan(load_profile("llama2")) for phase in job.phases]
    lines = []
    for step in STEPS:
        own = [(phase, gpus) for phase, gpus in planned if phase.name in step.phases]
        memory = max(phase.gpu_memory for phase, _ in own) / GB
        hours = sum(phase.seconds * gpus for phase, gpus in own) / 3600
        lines.append([step.name, step.engine, memory, f"{hours:.2f}", f"`{step.command}`"])
    columns = ["step", "runs by", "GPU memory, GB", "GPU hours", "command"]
    caption = (
        "The steps of the profile `llama2`: memory of the largest job, and hours of all jobs with Transformers, as "
        "`semalign plan` estimates them for one A100."
    )
    return table(pd.DataFrame(lines, columns=columns), caption, "tab-plan-steps", decimals=1).text


def plan_table() -> str:
    """Return the plan of the profile ``llama2`` with a line for each method and kind of job, in MyST."""
    found = report(load_profile("llama2"), None, MACHINES["a100"], Options())
    groups: dict[str, list[Job]] = {}
    for job in found.jobs:
        name = AS_THEY_ARE if job.kind == "evaluation" else job.entry
        groups.setdefault(name, []).append(job)
    lines = [_line(name, jobs) for name, jobs in groups.items()]
    jobs, hours, _, disk = found.totals
    lines.append(["all", jobs, max(line[2] for line in lines), "", hours])
    columns = ["jobs of", "number", "GPU memory, GB", "in phase", "GPU hours"]
    caption = (
        f"What the profile `llama2` needs, by `semalign plan --profile llama2`: estimates, not measurements. Memory is "
        f"the largest of the jobs; models, states and records take {disk / GB:.0f} GB of disk."
    )
    shown = table(pd.DataFrame(lines, columns=columns), caption, "tab-plan", decimals=1).text
    rest = "\n".join(f"- {line}" for line in [*found.problems(), *found.assumptions])
    return f"{shown}\nThe plan rests on this:\n\n{rest}\n"


def _line(name: str, jobs: Sequence[Job]) -> list[str | int | float]:
    largest = max(jobs, key=lambda job: job.gpu_memory)
    hours = sum(job.hours * job.gpus for job in jobs)
    return [name, len(jobs), largest.gpu_memory / GB, largest.largest.name if largest.gpu_memory else "", hours]


def measured_table() -> str:
    """Return the table of ``benchmarks/plan_check.py`` in MyST: what was planned over what was measured."""
    path = results_dir() / "speed" / "plan.json"
    if not path.is_file():
        return "**not run**: `python benchmarks/plan_check.py --out data/results/speed/plan.json` makes this table.\n"
    lines = pd.DataFrame(read_json(path)["lines"])
    memory = lines["planned_memory"] / lines["measured_memory"]
    flops = lines["planned_flops"] / lines["measured_flops"]
    shown: dict[str, dict[str, float]] = {phase: {"phase": phase} for phase in lines["phase"]}
    for phase, of, m, f in zip(lines["phase"], lines["model"] + ", " + lines["dtype"], memory, flops, strict=True):
        shown[phase] |= {f"{of}: memory": m, f"{of}: FLOPs": f}
    caption = (
        "Planned over measured for each phase on a CPU: memory and FLOPs. SmolLM2 is its own teacher. The plan of the "
        "bases has Gram matrices in two types, of which the head of SmolLM2 needs one, and leaves out the checks of "
        "the rounding, which count in small heads."
    )
    return table(pd.DataFrame(shown.values()), caption, "tab-plan-check").text
