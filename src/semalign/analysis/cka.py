"""How similar are teacher and student, layer by layer? CKA of their states on the same texts (Section 5.3, Fig. 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semalign.analysis.hsic import MinibatchCKA
from semalign.analysis.paired_states import StateOptions, paired_states
from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.loading import LanguageModel


@dataclass(frozen=True)
class CKAOptions(StateOptions):
    """Which states are compared, and how.

    Attributes:
        kernel: ``"linear"`` or ``"rbf"``.
        fraction: sigma of the RBF kernel as a fraction of the median distance; see :class:`MinibatchCKA`.
        unit: divide every row of both models by its length first, as Eq. 1 does. A few tokens (often the first) may be
            hundreds of times longer than the rest, and linear CKA of the rows as they are is decided by these few.
    """

    kernel: str = "linear"
    fraction: float = 1.0
    unit: bool = False


@plain_torch(gradients=False)
def cka_matrix(
    teacher: LanguageModel,
    student: LanguageModel,
    texts: Sequence[str],
    options: CKAOptions | None = None,
    *,
    alignment: Float[Tensor, "d_teacher d_student"] | None = None,
) -> Float[Tensor, "teacher_layers student_layers"]:
    """Return CKA between every teacher layer and every student layer, in one pass over each model.

    Args:
        teacher: the larger model.
        student: the smaller model; give an adapted student to measure it after a transfer.
        texts: prompts that both models read.
        options: which states are compared, and how.
        alignment: operator M, to measure after alignment: teacher rows h become ``h @ M``. With ``unit`` these are the
            supervisory states of Eq. 2 to the letter; without, M acts alone.

    Raises:
        ValueError: for bad arguments, texts that do not fit a context, or models that cannot be matched token
            to token; before any forward pass.
    """
    options = options or CKAOptions()
    expected = Architecture(teacher.model).width, Architecture(student.model).width
    if alignment is not None and tuple(alignment.shape) != expected:
        raise ValueError(f"alignment has shape {tuple(alignment.shape)}; these models need (D_T, D_S) = {expected}")
    measure = MinibatchCKA(options.kernel, options.fraction)
    for teacher_rows, student_rows in paired_states(teacher, student, texts, options):
        measure.add(prepared(teacher_rows, options.unit, alignment), prepared(student_rows, options.unit))
    return measure.matrix()


def prepared(
    rows: Float[Tensor, "layers n d"], unit: bool = False, alignment: Float[Tensor, "d d_aligned"] | None = None
) -> Float[Tensor, "layers n d_aligned"]:
    """Return rows as CKA takes them: at unit length if ``unit``, then ``h @ M`` if an alignment is given."""
    rows = normalize(rows, dim=-1) if unit else rows
    return rows if alignment is None else rows @ alignment.to(rows)
