"""Sensitivity of a teacher's weights (Appendix B.1), which selects layers and a block of each matrix."""

import logging
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from tqdm import tqdm
from transformers.pytorch_utils import Conv1D

from semalign.data.rows import Example
from semalign.methods.seeking.blocks import BLOCK_SCORES, Block, BlockScores, Shape
from semalign.methods.seeking.layer_gradients import forward_passes, layer_sensitivities, matrix
from semalign.methods.seeking.settings import BlockChoice
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.evaluating import plain_torch
from semalign.models.finite import check_finite
from semalign.models.loading import shared_copy
from semalign.tensor_files import kept_tensors, write_tensors
from semalign.training.finetuning import summed_nll

logger = logging.getLogger(__name__)
EXAMPLES_AT_ONCE = 4  # the most examples whose activations are in memory


class Extraction(NamedTuple):
    """The layers and blocks to extract from a teacher.

    Attributes:
        layer_scores: summed sensitivity of teacher layers 1..L_T.
        layers: the 1-based teacher layer of each student layer 1..L_S.
        blocks: for each student layer, the blocks of its teacher layer by the path of the matrix.
    """

    layer_scores: list[float]
    layers: list[int]
    blocks: list[dict[str, Block]]

    def save(self, path: Path) -> None:
        """Write the extraction to a safetensors file."""
        tensors = {
            f"{k}/{name}/{axis}": indices
            for k, blocks in enumerate(self.blocks)
            for name, block in blocks.items()
            for axis, indices in block._asdict().items()
        }
        write_tensors(path, tensors, {"scores": self.layer_scores, "layers": self.layers})

    @classmethod
    def load(cls, path: Path, names: Sequence[str]) -> "Extraction | None":
        """Return an extraction that :meth:`save` wrote, for matrices with the given paths; None if it must be made."""
        if (found := kept_tensors(path)) is None:
            return None
        tensors, notes = found
        blocks = [
            {name: Block(*(tensors[f"{k}/{name}/{axis}"] for axis in Block._fields)) for name in names}
            for k in range(len(notes["layers"]))
        ]
        return cls(notes["scores"], notes["layers"], blocks)


def extract(
    teacher: Architecture, student: Architecture, examples: Sequence[Example], choice: BlockChoice = "window"
) -> Extraction:
    r"""Return the teacher's most sensitive layers, as many as the student has, and the best block of each matrix.

    The sensitivity of a weight θ is ``sum over examples of |θ · ∂L/∂θ|``, where L is the mean cross-entropy of an
    example's response. A layer's score is the sum over all its parameters. The L_S layers with the largest scores,
    sorted by depth, are paired with the student's layers. A block has the shape of the student's matrix.

    Memory: the teacher, the activations of at most four examples, and the gradients of one layer: see
    :mod:`semalign.methods.seeking.layer_gradients`. Of the sensitivities of a matrix (a few float64 copies of it), only
    the sums that determine the block are kept. For (n, m) blocks of an (N, M) matrix, these are (N-n+1)(M-m+1) float64
    numbers with ``window`` and N+M with ``rows_columns``. For all layers of Llama 2 13B and 7B, they take 4 GB and
    31 MB; elementwise sensitivities would take 51 GB in float32. One pass is enough, and the teacher is not changed.

    Args:
        teacher: the teacher.
        student: the student, which determines the shapes of the blocks and the number of layers.
        examples: the seed rows, encoded for the teacher; there is one backward pass for each.
        choice: ``window``, the contiguous window with the largest sum, or ``rows_columns``, the rows and the columns
            with the largest sums.

    Raises:
        ValueError: if the shapes of the models do not fit; see :func:`check_fit`.
        NotFiniteError: if gradients are not finite.
    """
    shapes = check_fit(teacher, student)
    scores: list[dict[str, BlockScores]] = [
        {path: BLOCK_SCORES[choice](shape) for path, shape in shapes.items()} for _ in teacher.layers
    ]
    totals = _add_up(teacher, examples, scores)
    ranked = sorted(range(1, teacher.n_layers + 1), key=lambda k: totals[k - 1], reverse=True)
    layers = sorted(ranked[: student.n_layers])
    logger.info("teacher layers %s are extracted for student layers 1..%d", layers, student.n_layers)
    return Extraction(totals, layers, [{path: scores[k - 1][path].best() for path in shapes} for k in layers])


@plain_torch(gradients=True)
def _add_up(
    teacher: Architecture, examples: Sequence[Example], scores: Sequence[dict[str, BlockScores]]
) -> list[float]:
    """Add the sensitivities to ``scores``, layer by layer; return the sum of each layer."""
    copy = Architecture(shared_copy(teacher.model), teacher.layout)
    totals = torch.zeros(copy.n_layers, dtype=torch.float64)
    parts = FittingParts(copy, EXAMPLES_AT_ONCE, kept_layers=copy.n_layers, padding=math.inf)
    forward = partial(forward_passes, copy)
    with tqdm(total=len(examples), desc="sensitivity", leave=False, disable=processes.quiet()) as bar:
        for passes in parts.results(forward, examples, list(map(len, examples))):
            for k in range(copy.n_layers, 0, -1):
                for path, sensitivity in layer_sensitivities(copy, k, passes):
                    totals[k - 1] += sensitivity.sum().item()
                    if path in scores[k - 1]:
                        scores[k - 1][path].add(sensitivity)
            bar.update(len(passes))
    check_finite(totals, "the sensitivities", teacher, lambda: [summed_nll(teacher, [each]) for each in examples])
    return totals.tolist()


def check_fit(teacher: Architecture, student: Architecture) -> dict[str, Shape]:
    """Return the shapes (outputs, inputs) of the student's matrices by path, after checking that the teacher fits.

    Grouped-query attention needs no special case: its key and value matrices have fewer rows, and so do their blocks.

    Raises:
        ValueError: if the teacher has fewer layers, other matrices, or a matrix that is smaller than the student's in
            some dimension, or if a matrix is quantised or adapted.
    """
    if teacher.n_layers < student.n_layers:
        raise ValueError(
            f"the teacher has {teacher.n_layers} layers and the student {student.n_layers}: "
            "Seeking needs a teacher layer for each student layer"
        )
    if teacher.layout.matrices != student.layout.matrices:
        names = (", ".join(model.layout.matrices) for model in (teacher, student))
        raise ValueError("Seeking needs the same matrices in both models; they have {} and {}".format(*names))
    shapes = _shapes(student)
    for path, (rows, columns) in _shapes(teacher).items():
        n, m = shapes[path]
        if rows < n or columns < m:
            raise ValueError(
                f"{path} is {rows} x {columns} in the teacher, smaller than {n} x {m} in the student: "
                "Seeking takes a block of the student's shape out of the teacher's matrix"
            )
    return shapes


def _shapes(model: Architecture) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for k, layer in enumerate(model.layers, start=1):
        for path in model.layout.matrices:
            module = layer.get_submodule(path)
            if not isinstance(module, nn.Linear | Conv1D):
                kind = f"{type(module).__module__}.{type(module).__name__}"
                raise ValueError(
                    f"{path} of layer {k} is a {kind}: Seeking needs plain matrices, so merge adapters into the model "
                    "and load it without quantisation"
                )
            rows, columns = matrix(module).shape
            if shapes.setdefault(path, (rows, columns)) != (rows, columns):
                raise ValueError(f"{path} has another shape in layer {k} than in layer 1: Seeking needs uniform layers")
    return shapes
