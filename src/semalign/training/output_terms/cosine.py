"""The paper's output term: one minus the cosine of logits and one-hot labels (Section 4.3), and its centred form."""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from semalign.models.architecture import Architecture
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead
from semalign.training.losses import LogitFreeCosine, cosines_of_logits
from semalign.training.output_terms import OutputTerm, output_term


@output_term("cosine")
class CosineTerm(OutputTerm):
    """``1 - cos(z, y)``, computed without logits if they are linear in the state."""

    centred: ClassVar[bool] = False

    def __init__(self, student: Architecture, settings: TransferSettings, teacher_head: TeacherHead | None) -> None:
        super().__init__(student, settings, teacher_head)
        self.check(student)
        self.logit_free = None
        if student.logits_are_linear:
            self.logit_free = LogitFreeCosine(student.head_weight, settings.label_smoothing, self.centred)

    @classmethod
    def check(cls, student: Architecture) -> None:
        """Raise ``ValueError`` for the centred form where a soft cap or a bias stands between state and logits."""
        if cls.centred and not student.logits_are_linear:
            raise ValueError(
                "output_loss 'centred_cosine' needs logits that are linear in the hidden state, and this student has "
                "a soft cap or a bias on them: use 'cosine' or 'cross_entropy'"
            )

    def forward(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, " n"]:
        """Return one minus the cosine at every labelled position."""
        if self.logit_free is not None:
            return 1 - self.logit_free(states, batch.labels)
        return 1 - cosines_of_logits(self.student, states, batch.labels, self.settings.label_smoothing)


@output_term("centred_cosine")
class CentredCosineTerm(CosineTerm):
    """``1 - cos(z - mean(z), y - mean(y))``, which a common shift of all logits does not change."""

    centred = True
