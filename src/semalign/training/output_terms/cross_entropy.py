"""Cross-entropy with the labels."""

from jaxtyping import Float
from torch import Tensor, nn

from semalign.targets.supervision import Batch
from semalign.training.output_terms import OUTPUT_TERMS, OutputTerm


@OUTPUT_TERMS.register("cross_entropy")
class CrossEntropyTerm(OutputTerm):
    """``-log softmax(z)_y`` in nats, with label smoothing."""

    def forward(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, " n"]:
        """Return the cross-entropy at every labelled position."""
        return nn.functional.cross_entropy(
            self.student.logits(states), batch.labels, label_smoothing=self.settings.label_smoothing, reduction="none"
        )
