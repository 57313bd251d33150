"""States of a teacher and a student that have read the same text, at all layers, in blocks of rows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from semalign.analysis.hsic import FEWEST_ROWS
from semalign.data.rows import Example, matching_positions, pad
from semalign.models.architecture import Architecture, check_interface
from semalign.models.batching import FittingParts
from semalign.models.capture import states_at
from semalign.models.evaluating import evaluating
from semalign.models.finite import check_finite
from semalign.models.loading import LanguageModel
from semalign.models.precision import wide

POOLINGS = ("tokens", "mean", "last")
Block = tuple[Float[Tensor, "teacher_layers n d_teacher"], Float[Tensor, "student_layers n d_student"]]


@dataclass(frozen=True)
class StateOptions:
    """Which states of a teacher and a student are compared.

    Attributes:
        interface: where the states are taken: ``"layer"`` (the paper's layer outputs), ``"attention"``, ``"mlp"`` or
            ``"residual"``.
        pooling: what counts as one row. ``"tokens"``: every token of every text; where the tokenizers differ, those
            at which both end a token at the same character. A batch's tokens are shuffled before they are cut into
            blocks, but tokens of one text are not independent, so HSIC leans on similarity within texts. ``"mean"``:
            the mean over these tokens, one row for each text. ``"last"``: the last of them, one row for each text.
        block: most rows in one estimate of HSIC. Blocks have equal size, the largest up to this that divides the rows
            evenly; fewer rows than there are blocks are left over.
        batch_size: texts in one forward pass.
        seed: seed of the order of texts, and of the rows in a batch.

    Raises:
        ValueError: for an unknown interface or pooling, or a size that is too small.
    """

    interface: str = "layer"
    pooling: str = "tokens"
    block: int = 256
    batch_size: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        check_interface(self.interface)
        if self.pooling not in POOLINGS:
            raise ValueError(f"unknown pooling {self.pooling!r}: choose one of {', '.join(POOLINGS)}")
        if self.block < FEWEST_ROWS or self.batch_size < 1:
            raise ValueError(
                f"block must be at least {FEWEST_ROWS} and batch_size at least 1, not {self.block}, {self.batch_size}"
            )


def paired_states(
    teacher: LanguageModel, student: LanguageModel, texts: Sequence[str], options: StateOptions | None = None
) -> Iterator[Block]:
    """Yield blocks of states of all layers of both models, whose i-th rows have read the same text.

    Memory holds the states of one batch of texts and one block, for any number of texts.

    Args:
        teacher: the larger model.
        student: the smaller model.
        texts: prompts.
        options: which states.

    Raises:
        ValueError: for texts that do not fit a context, too few rows, or models that cannot be matched token to token;
            already when called.
    """
    options = options or StateOptions()
    encoded = [_encode(model, texts) for model in (teacher, student)]
    matched = [matching_positions(t, s, "read") for t, s in zip(*encoded, strict=True)]
    if empty := [number for number, (positions, _) in enumerate(matched, start=1) if not positions]:
        raise ValueError(f"text {empty[0]} has no token that ends at the same character for both models")
    kept = slice(-1, None) if options.pooling == "last" else slice(None)
    of_teacher = _Side(Architecture(teacher.model), encoded[0], [pair.teacher[kept] for pair in matched], options)
    of_student = _Side(Architecture(student.model), encoded[1], [pair.student[kept] for pair in matched], options)
    total = sum(map(len, of_teacher.positions)) if options.pooling == "tokens" else len(texts)
    if total < 2 * FEWEST_ROWS:
        raise ValueError(f"{total} rows in all: give more texts, for at least {2 * FEWEST_ROWS}")
    return _blocks([of_teacher, of_student], total // math.ceil(total / options.block), options)


def _encode(model: LanguageModel, texts: Sequence[str]) -> list[Example]:
    return model.encode([{"prompt": text, "response": ""} for text in texts])


@dataclass(frozen=True)
class _Side:
    """One of the two models, its encoding of the texts, and the positions of each text that are compared."""

    architecture: Architecture
    examples: Sequence[Example]
    positions: Sequence[Sequence[int]]
    options: StateOptions

    def rows(self, texts: Sequence[int]) -> Float[Tensor, "layers n d"]:
        """Return the rows of some texts, at all layers."""
        with evaluating(self.architecture.model):
            found = self.parts.each(self._rows, texts, [len(self.examples[i]) for i in texts])
        return torch.cat(found, dim=1)

    @cached_property
    def parts(self) -> FittingParts:
        """Parts of a batch; the states of all layers are kept."""
        return FittingParts(self.architecture, self.options.batch_size, kept_states=2 * self.architecture.n_layers)

    def _rows(self, texts: Sequence[int]) -> list[Float[Tensor, "layers n d"]]:
        """Return the rows of each of some texts, from one forward pass."""
        architecture = self.architecture
        input_ids, mask = (part.to(architecture.device) for part in pad([self.examples[i] for i in texts]))
        layers = range(1, architecture.n_layers + 1)
        compute = partial(states_at, architecture, layers, self.options.interface, input_ids, mask)
        states = compute()
        counts = [len(self.positions[i]) for i in texts]
        # Row i of the result is state (row[i], column[i]) of the part: its text, and its position in the text.
        row = torch.arange(len(texts)).repeat_interleave(torch.tensor(counts))
        column = torch.tensor([position for i in texts for position in self.positions[i]])
        rows = torch.stack([states.pop(k)[row, column] for k in layers])  # (layers, sum of counts, D)
        check_finite(rows, "the states", architecture, compute)
        each = wide(rows).split(counts, dim=1)
        return [one.mean(1, keepdim=True) for one in each] if self.options.pooling == "mean" else list(each)


def _blocks(sides: Sequence[_Side], size: int, options: StateOptions) -> Iterator[Block]:
    """Yield blocks of ``size`` rows: batches of texts in random order, their rows shuffled and cut."""
    generator = torch.Generator().manual_seed(options.seed)
    order = torch.randperm(len(sides[0].examples), generator=generator).tolist()
    held: list[Tensor] = []  # rows of both models that do not fill a block yet
    for start in tqdm(range(0, len(order), options.batch_size), desc="CKA", leave=False, disable=None):
        new = [side.rows(order[start : start + options.batch_size]) for side in sides]
        shuffled = torch.randperm(new[0].shape[1], generator=generator)  # one order for both: rows stay paired
        new = [rows[:, shuffled] for rows in new]
        held = [torch.cat(both, dim=1) for both in zip(held, new, strict=True)] if held else new
        while held[0].shape[1] >= size:
            yield held[0][:, :size].to(held[1].device), held[1][:, :size]
            held = [rows[:, size:] for rows in held]
