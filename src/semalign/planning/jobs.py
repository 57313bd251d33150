"""The jobs of a profile: cells of its comparison, selection points, analyses and notebooks, each with its needs."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from semalign.data.task_file import task_file
from semalign.experiments.analyses import analyses
from semalign.experiments.cells import Cell, cells
from semalign.experiments.grids import Point, points, settings_at
from semalign.experiments.profiles import Profile
from semalign.experiments.selection_currency import ITEMS, SPLIT
from semalign.files import json_fingerprint
from semalign.methods.laten.settings import LatenSettings
from semalign.methods.seeking.settings import SeekingSettings
from semalign.paths import project_root
from semalign.planning import scoring
from semalign.planning.job import Job, Kind
from semalign.planning.left_out import planned
from semalign.planning.machines import MACHINES, Machine
from semalign.planning.notebooks import notebook_phases
from semalign.planning.phases import phases_of
from semalign.planning.setup import AS_GIVEN, Options, Phase, Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.stored import States, states_on_disk
from semalign.planning.texts import ProfileTexts, Texts, needs_generation

logger = logging.getLogger(__name__)
HOST = 4 * 10**9  # bytes of Python with PyTorch, transformers and lm-eval


def plan(
    profile: Profile,
    names: Sequence[str] | None = None,
    machine: Machine = MACHINES["a100"],
    options: Options = AS_GIVEN,
    texts: ProfileTexts | None = None,
) -> list[Job]:
    """Return the jobs of a profile whose needs can be told; nothing is loaded, run or written.

    Others are left out with a warning: those of a method with settings of its own kind, of a GGUF file or of a mixture
    of experts.

    Args:
        profile: the profile.
        names: methods and variants, see :func:`semalign.experiments.cells.entries_of`.
        machine: where they run.
        options: choices that save memory.
        texts: the lengths of the profile's texts, if they are known already.

    Raises:
        FileNotFoundError: for a model whose configuration is neither here nor packaged.
        ValueError: for an unknown entry, or a configuration that cannot be read.
    """
    jobs, left_out = with_left_out(profile, names, machine, options, texts or ProfileTexts(profile))
    for line in left_out:
        logger.warning("%s", line)
    return jobs


def with_left_out(
    profile: Profile, names: Sequence[str] | None, machine: Machine, options: Options, texts: ProfileTexts
) -> tuple[list[Job], list[str]]:
    """Return the jobs of a profile as :func:`plan` does, and lines that say what is left out of them."""
    return planned(_Planner(profile, machine, options, texts).jobs(names))


class _Planner:
    """Plans the jobs of one profile; what several jobs share is computed once."""

    def __init__(self, profile: Profile, machine: Machine, options: Options, texts: ProfileTexts) -> None:
        self.profile, self.machine, self.options, self.texts = profile, machine, options, texts
        self.scored = cache(self._scored)
        self._transfers: dict[str, Job] = {}  # by what they depend on

    def jobs(self, names: Sequence[str] | None) -> Iterator[Callable[[], Job]]:
        """Yield functions that make all jobs: cells, points of the grids, analyses and notebooks."""
        yield from (partial(self.cell, cell) for cell in cells(self.profile, names))
        by_name = {point.file_name: point for point in points(self.profile)}  # entries of one method may share a record
        yield from (partial(self.point, point) for point in by_name.values())
        for name in dict.fromkeys((self.profile.teacher, self.profile.student)):
            yield partial(self.decomposition, name)
        yield self.similarity
        yield from (partial(self.notebook, path) for path in sorted((project_root() / "notebooks").glob("*.py")))

    def setup(self, teacher: str, student: str) -> Setup:
        """Return the setup of two models."""
        return Setup(self.machine, shapes_of(teacher), shapes_of(student), self.options)

    def cell(self, cell: Cell) -> Job:
        """Return the job of a cell."""
        name = Path(cell.file_name).stem
        if cell.teacher is None:
            phases = [self.setup(cell.student, cell.student).reading(shapes_of(cell.student))]
            phases.append(self.scored(cell.student, cell.task))
            return self.job("evaluation", None, cell.student, cell.task, phases, name=name, entry=cell.method)
        settings = self.profile.settings_for(cell.task, cell.method)
        return replace(self.transferred("cell", cell.method, cell.teacher, cell.task, settings), name=name)

    def point(self, point: Point) -> Job:
        """Return the job of a point of a grid."""
        settings = settings_at(self.profile, point)
        found = self.transferred("selection", point.entry, self.profile.teacher, point.task, settings)
        return replace(found, name=Path(point.file_name).stem)

    def decomposition(self, name: str) -> Job:
        """Return the job of a model's decomposition."""
        setup = self.of_profile()
        read = setup.reading(shapes_of(name)), scoring.decomposition(setup, shapes_of(name), self._read())
        return self.job("decomposition", None, name, None, read)

    def similarity(self) -> Job:
        """Return the job of the similarity of both models' layers."""
        setup = self.of_profile()
        both = setup.reading(setup.teacher, setup.student), scoring.cka(setup, self._read())
        return self.job("cka", self.profile.teacher, self.profile.student, None, both)

    def notebook(self, path: Path) -> Job:
        """Return the job of a notebook."""
        return self.job(
            "notebook", None, path.stem, None, notebook_phases(path, self.profile, self.of_profile, self.texts)
        )

    def of_profile(self) -> Setup:
        """Return the setup of the profile's own models."""
        return self.setup(self.profile.teacher, self.profile.student)

    def transferred(self, kind: Kind, entry: str, teacher: str, task: str, values: dict[str, Any]) -> Job:
        """Return the job of a transfer, the same for jobs that differ in the seed only."""
        key = json_fingerprint([kind, entry, teacher, task, values])
        if key not in self._transfers:
            self._transfers[key] = self._transferred(kind, entry, teacher, task, values)
        return self._transfers[key]

    def _transferred(self, kind: Kind, entry: str, teacher: str, task: str, values: dict[str, Any]) -> Job:
        setup, texts = self.setup(teacher, self.profile.student), self.texts.training(task)
        method = self.profile.method_of(entry)
        settings = method.settings(**values)
        dtype = torch.float32 if isinstance(settings, LatenSettings) else None  # LaTen gives a model in float32
        phases = list(phases_of(setup, settings, texts))
        held_out = texts.cycled(ITEMS if kind == "selection" else self.profile.held_out)  # of about the same lengths
        states = states_on_disk(setup, settings, texts, task, held_out)
        if kind == "selection" or self.profile.scored:
            phases.append(self.scored(setup.student.name, task, SPLIT if kind == "selection" else "test", dtype))
        job = self.job(kind, teacher, setup.student.name, task, phases, states, entry=entry)
        # These two compare weights of different layers.
        return replace(job, spreads=False, gpus=1) if isinstance(settings, LatenSettings | SeekingSettings) else job

    def _scored(self, model: str, task: str, split: str = "test", dtype: torch.dtype | None = None) -> Phase:
        size = self.options.evaluation_batch_size or self.profile.evaluation.batch_size
        setup, texts = self.setup(model, model), self.texts.test(task, split)
        dtype = dtype or self.options.type_of(setup.student)
        if not needs_generation(task):
            return scoring.choices(setup, setup.student, texts, size, dtype)
        configuration = task_file(task).configuration()
        repeats = configuration.get("repeats", 1)
        if repeats > 1:  # the samples of one prompt are drawn together
            size = min(size, repeats)
        answers = texts.cycled(len(texts) * repeats)
        longest = configuration["generation_kwargs"]["max_gen_toks"]
        return scoring.generation(setup, setup.student, answers, size, longest, dtype)

    def _read(self) -> Texts:
        """Return the texts that the analyses read, at most as many as HumanEval has."""
        return self.texts.test(analyses(self.profile)[0].prompts, "test").first(164)

    def job(
        self,
        kind: Kind,
        teacher: str | None,
        student: str,
        task: str | None,
        phases: Sequence[Phase],
        states: Mapping[States, int] | None = None,
        *,
        name: str = "",
        entry: str = "",
    ) -> Job:
        """Return a job from its phases; a model is read into host memory before it goes to the GPU."""
        peak = max(phase.gpu_memory for phase in phases)
        host = HOST + max((phase.gpu_memory for phase in phases if phase.name == "read"), default=0)
        gpus = max(1, -(-peak // self.machine.usable))
        name = name or "--".join(part.replace("/", "_") for part in (kind, teacher, student) if part)
        entry, done = entry or kind, tuple(phases)
        return Job(name, kind, entry, teacher, student, task, done, peak, host, gpus, states=states or {})
