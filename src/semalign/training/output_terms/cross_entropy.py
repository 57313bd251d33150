"""Cross-entropy with the labels."""

from jaxtyping import Float
from torch import Tensor

from semalign.models.token_losses import token_losses
from semalign.targets.supervision import Batch
from semalign.training.output_terms import OutputTerm, output_term


@output_term("cross_entropy")
class CrossEntropyTerm(OutputTerm):
    """``-log softmax(z)_y`` in nats, with label smoothing."""

    def forward(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, " n"]:
        """Return the cross-entropy at every labelled position."""
        return token_losses(self.student, states, batch.labels, self.settings.label_smoothing)
