"""The analyses of a profile that have a record each: decomposition of its two models, similarity of their layers."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from semalign.analysis.paired_states import StateOptions
from semalign.data.prompts import read_prompts
from semalign.data.task_file import task_name
from semalign.experiments.cells import picked
from semalign.experiments.inputs import fingerprint_of
from semalign.experiments.profiles import Profile
from semalign.experiments.staleness import Asked, problem
from semalign.files import json_fingerprint


class Analysis(NamedTuple):
    """One analysis of the models of a profile.

    Attributes:
        verb: of the command line, ``decompose`` or ``cka``.
        kind: what it is, the first part of the record's name.
        models: the model, or teacher and student.
        prompts: the task whose test prompts they read.
    """

    verb: str
    kind: str
    models: tuple[str, ...]
    prompts: str

    @property
    def file_name(self) -> str:
        """Name of the record's file."""
        return "--".join((self.kind, *self.models)).replace("/", "_") + ".json"

    def command(self, folder: Path) -> list[str]:
        """Return the arguments of ``semalign`` that make the record, and the figure's data beside it."""
        out = str(folder / self.file_name.removesuffix(".json"))
        return [self.verb, *self.models, "--prompts", self.prompts, "--out", out]


def analyses(profile: Profile) -> list[Analysis]:
    """Return the analyses of a profile; its models read the prompts of a HumanEval if it has one, as in the paper."""
    code = (task for task in profile.tasks if task_name(task).endswith("humaneval"))
    prompts, pair = next(code, next(iter(profile.tasks))), (profile.teacher, profile.student)
    single = [Analysis("decompose", "decomposition", (model,), prompts) for model in dict.fromkeys(pair)]
    return [*single, Analysis("cka", "cka", pair, prompts)]


def missing(profile: Profile, folder: Path, records: Sequence[str] | None = None) -> dict[Analysis, str]:
    """Return the analyses without a current record, and why.

    The reason is that of :func:`semalign.experiments.staleness.problem`. A record of other options than those of the
    analysis's command, or with an adapter, is stale.

    Args:
        profile: the profile.
        folder: where its records are.
        records: see :func:`semalign.experiments.cells.picked`.
    """

    def asked(analysis: Analysis, record: dict[str, Any]) -> Asked:
        names = ("student",) if len(analysis.models) == 1 else ("teacher", "student")
        models = dict(zip(names, map(fingerprint_of, analysis.models), strict=True))
        prompts = {"data": json_fingerprint(read_prompts(analysis.prompts))}
        return {**dict.fromkeys(record["fingerprints"]), **models, **prompts}, _options(record)

    chosen = picked(analyses(profile), records)
    found = {each: problem(folder / each.file_name, partial(asked, each), "value") for each in chosen}
    return {each: reason for each, reason in found.items() if reason is not None}


def _options(record: dict[str, Any]) -> dict[str, Any]:
    """Return the default options that a record knows, and the seed if it has another: no configuration has it."""
    defaults = asdict(StateOptions())
    seed = defaults.pop("seed")
    known = {name: value for name, value in defaults.items() if name in record["configuration"]}
    return known if record["seed"] == seed else known | {"seed": seed}
