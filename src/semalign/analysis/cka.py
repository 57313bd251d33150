"""How similar are teacher and student, layer by layer? CKA of their states on the same texts (Section 5.3, Fig. 4)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from semalign.analysis.hsic import FEWEST_ROWS, MinibatchCKA
from semalign.data.rows import Example, encode, matching_positions, pad
from semalign.models.architecture import Architecture, check_interface
from semalign.models.capture import states_at
from semalign.models.loading import LanguageModel

POOLINGS = ("tokens", "mean", "last")
Block = tuple[Float[Tensor, "teacher_layers n d_teacher"], Float[Tensor, "student_layers n d_student"]]


def cka_matrix(
    teacher: LanguageModel,
    student: LanguageModel,
    texts: Sequence[str],
    *,
    interface: str = "layer",
    kernel: str = "linear",
    fraction: float = 1.0,
    pooling: str = "tokens",
    unit: bool = False,
    alignment: Float[Tensor, "d_teacher d_student"] | None = None,
    block: int = 256,
    batch_size: int = 8,
    seed: int = 0,
) -> Float[Tensor, "teacher_layers student_layers"]:
    """Return CKA between every teacher layer and every student layer, in one pass over each model.

    Args:
        teacher: the larger model.
        student: the smaller one; give an adapted student for the picture after transfer.
        texts: prompts that both models read.
        interface: where the states are taken, ``"layer"`` (the paper's layer outputs), ``"attention"``,
            ``"mlp"`` or ``"residual"``.
        kernel: ``"linear"`` or ``"rbf"``.
        fraction: sigma of the RBF kernel as a fraction of the median distance; see :class:`MinibatchCKA`.
        pooling: what counts as one row; see :func:`paired_states`.
        unit: divide every row of both models by its length first, as Eq. 1 does. A few tokens (often the first)
            may be hundreds of times longer than the rest; linear CKA of rows as they are then sees little else.
        alignment: operator M, for the picture after alignment: teacher rows h become ``h @ M``. With ``unit`` these
            are the supervisory states of Eq. 2 to the letter; without, M acts alone.
        block: most rows in one estimate of HSIC; see :func:`paired_states`.
        batch_size: texts in one forward pass.
        seed: seed of the order of texts and rows.

    Raises:
        ValueError: for bad arguments, texts that do not fit a context, or models that cannot be matched token
            to token; before any forward pass.
    """
    expected = Architecture(teacher.model).width, Architecture(student.model).width
    if alignment is not None and tuple(alignment.shape) != expected:
        raise ValueError(f"alignment has shape {tuple(alignment.shape)}; these models need (D_T, D_S) = {expected}")
    measure = MinibatchCKA(kernel, fraction)
    for teacher_rows, student_rows in paired_states(
        teacher, student, texts, interface=interface, pooling=pooling, block=block, batch_size=batch_size, seed=seed
    ):
        measure.add(prepared(teacher_rows, unit, alignment), prepared(student_rows, unit))
    return measure.matrix()


def prepared(
    rows: Float[Tensor, "layers n d"], unit: bool = False, alignment: Float[Tensor, "d d_aligned"] | None = None
) -> Float[Tensor, "layers n d_aligned"]:
    """Return rows as CKA is to see them: at unit length if asked, then ``h @ M`` if an alignment is given."""
    rows = normalize(rows, dim=-1) if unit else rows
    return rows if alignment is None else rows @ alignment.to(rows)


def paired_states(
    teacher: LanguageModel,
    student: LanguageModel,
    texts: Sequence[str],
    *,
    interface: str = "layer",
    pooling: str = "tokens",
    block: int = 256,
    batch_size: int = 8,
    seed: int = 0,
) -> Iterator[Block]:
    """Yield blocks of states of all layers of both models, whose i-th rows have read the same text.

    Memory holds the states of one batch of texts and one block, whatever the number of texts. Blocks have equal
    size, the largest up to ``block`` that divides the rows evenly; fewer rows than there are blocks are left over.

    Args:
        teacher: the larger model.
        student: the smaller model.
        texts: prompts.
        interface: see :func:`cka_matrix`.
        pooling: what counts as one row. ``"tokens"``: every token of every text; where the tokenizers differ,
            those at which both end a token at the same character. A batch's tokens are shuffled before they are
            cut into blocks, but tokens of one text are not independent, so HSIC leans on likeness within texts.
            ``"mean"``: the mean over these tokens, one row a text. ``"last"``: the last of them, one row a text.
        block: most rows in one block.
        batch_size: texts in one forward pass of each model.
        seed: seed of the order of texts and of the rows in a batch.

    Raises:
        ValueError: as for :func:`cka_matrix`; already when called.
    """
    check_interface(interface)
    if pooling not in POOLINGS:
        raise ValueError(f"unknown pooling {pooling!r}: choose one of {', '.join(POOLINGS)}")
    if block < FEWEST_ROWS or batch_size < 1:
        raise ValueError(f"block must be at least {FEWEST_ROWS} and batch_size at least 1, not {block}, {batch_size}")
    encoded = [_encode(model, texts) for model in (teacher, student)]
    matched = [matching_positions(t, s, "all") for t, s in zip(*encoded, strict=True)]
    if empty := [number for number, (positions, _) in enumerate(matched, start=1) if not positions]:
        raise ValueError(f"text {empty[0]} has no token that ends at the same character for both models")
    kept = slice(-1, None) if pooling == "last" else slice(None)
    sides = [
        _Side(Architecture(model.model), examples, [pair[which][kept] for pair in matched], interface, pooling)
        for model, examples, which in ((teacher, encoded[0], 0), (student, encoded[1], 1))
    ]
    total = sum(map(len, sides[0].positions)) if pooling == "tokens" else len(texts)
    if total < 2 * FEWEST_ROWS:
        raise ValueError(f"{total} rows in all: give more texts, for at least {2 * FEWEST_ROWS}")
    return _blocks(sides, total // math.ceil(total / block), batch_size, torch.Generator().manual_seed(seed))


def _encode(model: LanguageModel, texts: Sequence[str]) -> list[Example]:
    return encode([{"prompt": text, "response": ""} for text in texts], model.tokenizer, model.context_length)


@dataclass(frozen=True)
class _Side:
    """One of the two models, and which of its positions count."""

    architecture: Architecture
    examples: Sequence[Example]
    positions: Sequence[Sequence[int]]
    interface: str
    pooling: str

    @torch.no_grad()
    def rows(self, texts: Sequence[int]) -> Float[Tensor, "layers n d"]:
        """Return the rows of some texts, at all layers."""
        architecture = self.architecture
        input_ids, mask = (part.to(architecture.device) for part in pad([self.examples[i] for i in texts]))
        layers = range(1, architecture.n_layers + 1)
        states = states_at(architecture, layers, self.interface, input_ids, mask)
        counts = [len(self.positions[i]) for i in texts]
        row = torch.arange(len(texts)).repeat_interleave(torch.tensor(counts))
        column = torch.tensor([position for i in texts for position in self.positions[i]])
        rows = torch.stack([states.pop(k)[row, column] for k in layers])
        rows = rows if rows.dtype == torch.float64 else rows.float()
        if self.pooling == "mean":
            rows = torch.stack([part.mean(1) for part in rows.split(counts, dim=1)], dim=1)
        return rows


def _blocks(sides: Sequence[_Side], size: int, batch_size: int, generator: torch.Generator) -> Iterator[Block]:
    order = torch.randperm(len(sides[0].examples), generator=generator).tolist()
    held: list[Tensor] = []
    for start in tqdm(range(0, len(order), batch_size), desc="CKA", leave=False, disable=None):
        new = [side.rows(order[start : start + batch_size]) for side in sides]
        shuffled = torch.randperm(new[0].shape[1], generator=generator)
        new = [rows[:, shuffled] for rows in new]
        held = [torch.cat(both, dim=1) for both in zip(held, new, strict=True)] if held else new
        while held[0].shape[1] >= size:
            yield held[0][:, :size].to(held[1].device), held[1][:, :size]
            held = [rows[:, size:] for rows in held]
