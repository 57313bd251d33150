"""Compare a plan with what is measured on a CPU: peak memory and FLOPs of each phase, by model and type.

Memory is the peak of PyTorch's allocator, from the profiler's record of every allocation, on top of the tensors that
are there before; FLOPs are those of ``torch.utils.flop_counter``, with attention written out, since it does not know
the CPU's fused one, and with the products in place and the factors of the bases, which it does not count by itself.
They follow from shapes and do not depend on the type: they are counted once, in float32, and the plan of each type is
compared with them. Memory is measured in each type. What Appendix D.1 compares is made and its size taken: the targets
of all rows, the student's logits at their positions, and the weights of one student layer.

    python benchmarks/plan_check.py --out data/results/speed/plan.json
"""

import argparse
import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from measurement import write_measurement
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from semalign.data.rows import batches
from semalign.evaluation.cache import roomy_cache
from semalign.methods.declared.sft import SftSettings
from semalign.methods.seeking.sensitivity import extract
from semalign.methods.seeking.settings import SeekingSettings
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel, load_model
from semalign.models.pair import Pair
from semalign.planning import MACHINES, Options, baselines, scoring, transfer
from semalign.planning.setup import Phase, Setup
from semalign.planning.shapes import from_config
from semalign.planning.texts import Texts
from semalign.settings import TransferSettings
from semalign.targets.attribution import attribute_layers
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair
from semalign.targets.passes import StatePasses
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora
from semalign.training.objective import Objective
from semalign.training.steering import Steering

ANSWER = 24  # tokens that are generated
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ATEN = torch.ops.aten
# What PyTorch's counter leaves out, from the shapes of the arguments: n^3 / 3 for a factor, twice that for its inverse.
UNCOUNTED = {
    ATEN.addmm_: lambda into, left, right, **_: 2 * left[0] * left[1] * right[1],
    ATEN.linalg_cholesky_ex: lambda square, *_, **__: square[-1] ** 3 // 3,
    ATEN.cholesky_inverse: lambda factor, *_, **__: 2 * factor[-1] ** 3 // 3,
}


class Line(NamedTuple):
    """Bytes and FLOPs of a phase, planned and measured."""

    model: str
    dtype: str
    phase: str
    planned_memory: int
    measured_memory: int
    planned_flops: int
    measured_flops: int

    @property
    def memory(self) -> float:
        """Planned memory over measured."""
        return self.planned_memory / self.measured_memory

    @property
    def flops(self) -> float:
        """Planned FLOPs over measured."""
        return self.planned_flops / self.measured_flops


class Moved(NamedTuple):
    """A size that Appendix D.1 compares, by arithmetic and measured: bytes, or FLOPs of the targets."""

    model: str
    what: str
    planned: int
    measured: int


def peak(run: Callable[[], Any]) -> int:
    """Return the most bytes that a call has in PyTorch's allocator at once, above what was there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        run()
    events = [event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def flops(run: Callable[[], Any]) -> int:
    """Return the FLOPs that PyTorch counts in a call, with those of ``UNCOUNTED``."""
    with FlopCounterMode(display=False, custom_mapping=UNCOUNTED) as counter:
        run()
    return counter.get_total_flops()


def parameter_bytes(model: torch.nn.Module) -> int:
    """Return the bytes of a model's parameters."""
    return sum(p.nbytes for p in model.parameters())


class Case:
    """The calls of all phases on a teacher and a student in one type, with rows of equal length."""

    def __init__(self, teacher: LanguageModel, student: LanguageModel, rows: int, folder: Path) -> None:
        self.pair, self.folder = Pair(teacher, student), folder
        text = [
            {"prompt": f"What is {i} + 5 and why is it so?", "response": f" {i + 5}, as one can count."}
            for i in range(10, 10 + rows)
        ]
        self.rows, self.examples = text, self.pair.encode(text)
        lengths = [
            (example.prompt_length, len(example) - example.prompt_length - 1) for example in self.examples.student
        ]
        self.texts = Texts.of(lengths)
        shapes = [from_config(model.model.config, model.name) for model in (teacher, student)]
        self.setup = Setup(MACHINES["a100"], *shapes, Options(dtype=teacher.model.dtype))
        self.settings = TransferSettings(epochs=1, batch_size=rows, teacher_layer=shapes[0].layers, student_layer=2)

    def phases(self) -> Iterator[tuple[Phase, int, Callable[[], Any]]]:
        """Yield each phase, the bytes that are there when it starts, and the call that runs it."""
        teacher, student = self.pair.teacher_architecture, self.pair.student_architecture
        builder = TargetBuilder(self.pair, self.settings)
        bases = sum(head.product.nbytes for head in builder.heads.inverted) + builder.alignment.nbytes
        heads = parameter_bytes(teacher.model)
        yield transfer.bases(self.setup), heads, lambda: TargetBuilder(self.pair, self.settings)
        encoded = list(batches(self.examples.teacher, 8))
        attributed = transfer.attribution(self.setup, self.texts, self.settings)
        yield attributed, heads + bases, lambda: attribute_layers(self.pair.teacher, encoded)
        yield (
            transfer.teacher_states(self.setup, self.texts, teacher.n_layers),
            heads + bases,
            lambda: self._passes().layer_states([[(teacher.n_layers, 1.0)]], "mlp"),
        )
        supervision = builder.supervision(self.rows, [LayerPair([(teacher.n_layers, 1.0)], 2)], self.folder / "states")
        model = add_lora(student.model, [2], self.settings)
        below = parameter_bytes(student.layers[0])
        lora = sum(p.nbytes for p in model.parameters() if p.requires_grad)

        def steer() -> None:
            Steering(Objective(Architecture(model), supervision, self.settings)).run()

        yield (
            transfer.training(self.setup, self.settings, self.texts, 2),
            parameter_bytes(student.model) - below + bases + lora,
            steer,
        )
        yield from self._whole(student)
        yield from self._scored(student)

    def _passes(self) -> StatePasses:
        at = [list(example.positions()) for example in self.examples.teacher]
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        return StatePasses(self.pair.teacher_architecture, self.examples.teacher, at, folder, "measured")

    def _whole(self, student: Architecture) -> Iterator[tuple[Phase, int, Callable[[], Any]]]:
        settings = SftSettings(epochs=1, batch_size=len(self.rows))
        model = add_lora(student.model, range(1, student.n_layers + 1), settings)
        lora = sum(p.nbytes for p in model.parameters() if p.requires_grad)
        tuning = FineTuning(Architecture(model), self.examples.student, settings)
        *_, planned = baselines.fine_tuning(self.setup, settings, self.texts)
        yield planned._replace(name="fine-tuning"), parameter_bytes(student.model) + lora, tuning.run
        held, examples = parameter_bytes(self.pair.teacher.model), self.examples.teacher[:4]
        sensitive = baselines.sensitivities(self.setup, self.texts.first(4), SeekingSettings())
        yield sensitive, held, lambda: extract(self.pair.teacher_architecture, student, examples)

    def _scored(self, student: Architecture) -> Iterator[tuple[Phase, int, Callable[[], Any]]]:
        dtype, ids = student.model.dtype, torch.tensor([list(e.input_ids)[:16] for e in self.examples.student])
        prompts = Texts.of([(16, 0)] * len(ids))

        def generate() -> None:
            student.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=ANSWER,
                max_new_tokens=ANSWER,
                past_key_values=roomy_cache(student.model.config),
            )

        held = parameter_bytes(student.model)
        yield scoring.generation(self.setup, self.setup.student, prompts, len(ids), ANSWER, dtype), held, generate

        @torch.no_grad()
        def score() -> None:  # as lm-eval does
            logits = student.model(ids).logits
            torch.nn.functional.log_softmax(logits.float(), dim=-1)

        bare = Texts.of([(15, 0)] * len(ids))
        yield scoring.choices(self.setup, self.setup.student, bare, len(ids), dtype), held, score


def count(teacher: LanguageModel, student: LanguageModel, rows: int) -> dict[str, int]:
    """Return the FLOPs of each phase on two models."""
    with tempfile.TemporaryDirectory() as folder:
        case = Case(_written_out(teacher), _written_out(student), rows, Path(folder))
        return {phase.name: flops(run) for phase, _, run in case.phases()}


def moved(teacher: LanguageModel, student: LanguageModel, rows: int) -> list[Moved]:
    """Return the sizes of targets, logits and one layer on two models, and the FLOPs of the targets."""
    with tempfile.TemporaryDirectory() as folder:
        case = Case(teacher, student, rows, Path(folder))
        builder, shapes = TargetBuilder(case.pair, case.settings), case.setup.student
        pair = LayerPair([(case.setup.teacher.layers, 1.0)], 2)
        (layer,) = builder.supervision(case.rows, [pair], Path(folder) / "states").layers
        made: list[torch.Tensor] = []
        work = flops(lambda: made.append(layer.of(range(rows), torch.device("cpu"))))
        (targets,) = made
    positions, size = case.texts.positions, targets.itemsize
    architecture = case.pair.student_architecture
    logits = architecture.logits(torch.zeros(len(targets), shapes.width))
    found = {
        "targets, bytes": (positions * shapes.width * size, targets.nbytes),
        "logits at the same positions, bytes": (positions * shapes.vocabulary * size, logits.nbytes),
        "one layer, bytes": (shapes.layer_parameters * size, parameter_bytes(architecture.layers[1])),
        "targets, FLOPs": (2 * case.setup.teacher.width * shapes.width * positions, work),
    }
    return [Moved(student.name, what, *each) for what, each in found.items()]


def lines(teacher: LanguageModel, student: LanguageModel, rows: int, counted: Mapping[str, int]) -> list[Line]:
    """Return the comparison of all phases on two models, whose FLOPs are those that :func:`count` gave in any type."""
    dtype = str(student.model.dtype).removeprefix("torch.")
    with tempfile.TemporaryDirectory() as folder:
        return [
            Line(student.name, dtype, phase.name, phase.gpu_memory, held + peak(run), phase.flops, counted[phase.name])
            for phase, held, run in Case(teacher, student, rows, Path(folder)).phases()
        ]


def _written_out(model: LanguageModel) -> LanguageModel:
    other = copy.deepcopy(model.model)
    other.set_attn_implementation("eager")
    return LanguageModel(other, model.tokenizer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models",
        nargs="+",
        default=["micro", "smollm2-135m"],
        help="micro, and other models that are their own teachers",
    )
    parser.add_argument("--out", type=Path, help="JSON file for the comparison")
    options = parser.parse_args()
    found: list[Line] = []
    sizes: list[Moved] = []
    for name in options.models:
        pair = ("micro-teacher", "micro-student") if name == "micro" else (name, name)
        rows = 64 if name == "micro" else 16
        counted = count(*(load_model(each, dtype=torch.float32) for each in pair), rows)
        sizes += moved(*(load_model(each, dtype=torch.float32) for each in pair), rows)
        for dtype in TYPES.values():
            found += lines(*(load_model(each, dtype=dtype) for each in pair), rows, counted)
    for line in found:
        work = f"FLOPs {line.planned_flops:.2e} / {line.measured_flops:.2e} = {line.flops:.2f}"
        amount = f"{line.planned_memory / 1e6:8.1f} / {line.measured_memory / 1e6:8.1f} MB = {line.memory:.2f}"
        print(f"{line.model:28s} {line.dtype:9s} {line.phase:15s} {amount}  {work}")
    for each in sizes:
        print(f"{each.model:28s} {each.what:36s} {each.planned:,} / {each.measured:,}")
    if options.out:
        contents = {"lines": [line._asdict() for line in found], "moved": [each._asdict() for each in sizes]}
        write_measurement(options.out, contents)


if __name__ == "__main__":
    main()
