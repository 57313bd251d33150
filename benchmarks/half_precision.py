"""Compare losses, gradients and LaTen's changes in float16 and bfloat16 with those in float32, on the same weights.

For each type and output term: the difference of the loss from float32's, and the relative error of the gradient of a
LoRA in the middle of the model. Both have two parts. *Passes* is what remains if the loss is computed in float64 from
the states of the same half-precision forward pass: the rounding of the model itself. *Library* is the error of the loss
and of its gradient with respect to these states, against float64: this part has bounds.

    python benchmarks/half_precision.py smollm2-135m --out half.json
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
from measurement import write_measurement
from torch import Tensor, nn
from transformers import PreTrainedModel

from semalign import LanguageModel, load_model, run_method
from semalign.data.rows import IGNORED, batches
from semalign.models.architecture import Architecture
from semalign.models.precision import wide
from semalign.models.students import drop_layers
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead
from semalign.training.lora import add_lora
from semalign.training.loss_scale import LossScale
from semalign.training.output_terms import OUTPUT_TERMS

HALF = (torch.bfloat16, torch.float16)
LOSS, GRADIENT, CHANGE = 1e-3, 0.01, 0.05  # bounds: of a loss, of a gradient, and of LaTen's change of logits
LATEN = {"extract_size": 1, "align_size": 8, "steps": 2}
ROWS = [
    {"prompt": f"Question: Tom has {a} boxes with {b} apples in each box. How many apples has he?\nAnswer:",
     "response": f" There are {a} boxes of {b} apples each, and {a} times {b} is {a * b}. The answer is {a * b}."}
    for a in (3, 5, 7, 12) for b in (4, 6, 8, 15)
]  # fmt: skip


class Line(NamedTuple):
    """What one output term gives in one type.

    Attributes:
        dtype: the type.
        term: the output term.
        loss: its value.
        difference: of the loss from float32's.
        library_difference: of the loss from float64's on the same states.
        gradient: relative error of the gradient with respect to the LoRA, against float32.
        passes: the same with a loss in float64: what the passes of the model give.
        library: relative error of the gradient with respect to the final states, against float64.
    """

    dtype: str
    term: str
    loss: float
    difference: float
    library_difference: float
    gradient: float
    passes: float
    library: float

    @property
    def holds(self) -> bool:
        """Whether the library adds no more than the bounds to what the passes of the model give."""
        parts = self.library_difference < LOSS and self.library < GRADIENT
        return parts and self.gradient < self.passes + GRADIENT


class DoubleHead(Architecture):
    """A model with a copy of its head in float64, for losses in float64."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__(model)
        self._head = deepcopy(super().lm_head).double()

    @property
    def lm_head(self) -> nn.Module:
        """The copy."""
        return self._head


class Exact(NamedTuple):
    """A term in float64 on half-precision states, the gradient of the LoRA from it, and the library's error."""

    loss: float
    gradient: Tensor
    library: float


class Probe:
    """A model with a LoRA in its middle, and its states after the final norm on some rows.

    Args:
        model: the model, in the type of the forward pass.
        ids: token ids and labels, of shape (batch, tokens); all tokens are real.
    """

    def __init__(self, model: PreTrainedModel, ids: Tensor, labels: Tensor) -> None:
        k = Architecture(model).n_layers // 2
        adapted = add_lora(model, [k], TransferSettings(rank=8))
        randomise(adapted)
        self.student, self.ids, self.labels = Architecture(adapted), ids, labels[:, 1:]
        self.parameters = [p for p in adapted.parameters() if p.requires_grad]
        self.plain, self.double = Architecture(model), DoubleHead(model)

    def final(self) -> Tensor:
        """Return the states at the positions that predict a label, shape (n, D)."""
        states = self.student.run(torch.ones_like(self.ids), input_ids=self.ids)
        return states[:, :-1][self.labels != IGNORED]

    def term(self, name: str, head: Architecture, states: Tensor) -> Tensor:
        """Return the mean of an output term; the states of the other positions, in reverse, are the teacher's."""
        tokens = torch.arange(len(head.head_weight), device=states.device)
        term = OUTPUT_TERMS[name](head, TransferSettings(), TeacherHead(head, tokens, tokens))
        labels = self.labels[self.labels != IGNORED]
        teacher = states.detach().flip(0)
        return term(states, Batch(None, None, None, labels, None, {}, teacher)).mean()  # type: ignore[arg-type]

    def library(self, name: str) -> tuple[float, Tensor]:
        """Return a term and its gradient with respect to the LoRA as training computes them, loss scaling included."""
        scale = LossScale(self.student.model)

        def compute() -> float:
            loss = self.term(name, self.plain, wide(self.final()))
            scale.backward(loss)
            return loss.item()

        for p in self.parameters:
            p.grad = None
        loss = scale.gradients(compute, self.parameters)
        return loss, torch.cat([p.grad.double().flatten() for p in self.parameters])

    def exact(self, name: str) -> Exact:
        """Return what the term gives in float64 on the states of the same forward pass, and the library's error."""
        final = self.final()
        loss, gradient = self._at_states(name, self.double, final.detach().double())
        own = error(self._at_states(name, self.plain, final.detach())[1], gradient)
        largest = gradient.abs().max().clamp_min(1e-300)  # brought to 1, so that float16 holds it
        found = torch.autograd.grad(final, self.parameters, (gradient / largest).to(final.dtype))
        return Exact(loss, torch.cat([g.double().flatten() for g in found]) * largest, own)

    def _at_states(self, name: str, head: Architecture, states: Tensor) -> tuple[float, Tensor]:
        """Return a term and its gradient with respect to states, in their type, with the scale of training."""
        scale = LossScale(self.student.model).value
        loss = self.term(name, head, wide(states.requires_grad_()))
        (gradient,) = torch.autograd.grad(loss * scale, states)
        return loss.item(), gradient.double() / scale


def randomise(adapted: nn.Module) -> None:
    """Give the LoRA matrices that start at zero small random values, so that every gradient counts."""
    generator = torch.Generator().manual_seed(0)
    for name, p in adapted.named_parameters():
        if "lora_B" in name:
            p.data = 0.01 * torch.randn(p.shape, generator=generator).to(p)


def same_weights(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """Return a model in a type, with weights that every type holds."""
    return deepcopy(model).bfloat16().half().to(dtype)  # type: ignore[return-value]


def terms(model: PreTrainedModel, ids: Tensor, labels: Tensor, types: Sequence[torch.dtype] = HALF) -> Iterator[Line]:
    """Yield a line for each type and output term.

    Args:
        model: the model, in any type.
        ids: token ids without padding, shape (batch, tokens).
        labels: the labels, -100 where there is none, of the same shape.
        types: the types to compare with float32.
    """
    reference = Probe(same_weights(model, torch.float32), ids, labels)
    expected = {name: (*reference.library(name), reference.exact(name).gradient) for name in OUTPUT_TERMS}
    for dtype in types:
        probe = Probe(same_weights(model, dtype), ids, labels)
        for name, (loss, gradient, of_exact) in expected.items():
            value, found = probe.library(name)
            exact = probe.exact(name)
            yield Line(
                str(dtype).removeprefix("torch."),
                name,
                value,
                abs(value - loss),
                abs(value - exact.loss),
                error(found, gradient),
                error(exact.gradient, of_exact),
                exact.library,
            )


def error(found: Tensor, expected: Tensor) -> float:
    """Return the relative error of a vector."""
    return ((found - expected).norm() / expected.norm()).item()


def laten(model: LanguageModel, ids: Tensor) -> dict[str, float]:
    """Return, for each half-precision type, the relative error of LaTen's change of logits.

    The teacher is every second layer of the model, and the student every second of these: locating neurons takes long.
    """
    teacher = drop_layers(model, 2)
    student = drop_layers(teacher, 2)
    before, changes = same_weights(student.model, torch.float32), {}
    for dtype in (torch.float32, *HALF):
        pair = [LanguageModel(same_weights(each.model, dtype), each.tokenizer) for each in (teacher, student)]
        changed = run_method("laten", *pair, ROWS, **LATEN).model.model.float()
        with torch.no_grad():
            changes[dtype] = (changed(ids).logits - before(ids).logits).double()
    exact = changes.pop(torch.float32)
    return {str(dtype).removeprefix("torch."): error(change, exact) for dtype, change in changes.items()}


def example(model: LanguageModel, rows: int = 1) -> tuple[Tensor, Tensor]:
    """Return ids and labels of the first rows, cut to the shortest."""
    batch = next(batches(model.encode(ROWS[:rows]), rows))
    shortest = int(batch["attention_mask"].sum(1).min())
    return batch["input_ids"][:, :shortest], batch["labels"][:, :shortest]


def table(lines: Sequence[Line]) -> str:
    """Return the lines as text."""
    rows = [
        f"{'':25s} {'loss':>9s} {'|diff|':>8s} {'library':>8s} {'gradient':>9s} {'passes':>8s} {'library':>8s}",
    ]
    for line in lines:
        differences = f"{line.difference:8.1e} {line.library_difference:8.1e}"
        errors = f"{line.gradient:9.2%} {line.passes:8.2%} {line.library:8.3%}"
        rows.append(f"{line.dtype:9s} {line.term:15s} {line.loss:9.5f} {differences} {errors}")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a small model: a name, a folder or a GGUF file")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--laten", action="store_true", help="also LaTen, on some of its layers")
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    options = parser.parse_args()
    model = load_model(options.model, dtype=torch.float32)
    found = list(terms(model.model, *example(model, options.rows)))
    print(table(found), flush=True)
    numbers = {"model": model.name, "terms": [line._asdict() for line in found], "laten": {}}
    if options.out:
        write_measurement(options.out, numbers)  # LaTen takes longer than all terms
    if options.laten:
        changes = laten(model, example(model)[0])
        for dtype, change in changes.items():
            print(f"{dtype:9s} LaTen's change of logits: relative error {change:.2%}")
        if options.out:
            write_measurement(options.out, {**numbers, "laten": changes})


if __name__ == "__main__":
    main()
