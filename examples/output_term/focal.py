"""A custom output term: focal cross-entropy, with less weight on labels that are probable already (Lin et al. 2017).

`semalign --include examples/output_term transfer TEACHER STUDENT -d rows.jsonl -o runs/mine -s output_loss=focal`
"""

from torch import Tensor
from torch.nn.functional import cross_entropy

from semalign.targets.supervision import Batch
from semalign.training.output_terms import OutputTerm, output_term

GAMMA = 2.0


@output_term("focal")
class FocalTerm(OutputTerm):
    """``-(1 - p)^gamma log p``, p the probability of the label."""

    def forward(self, states: Tensor, batch: Batch) -> Tensor:
        """Return the value at every labelled position, shape (n,)."""
        nll = cross_entropy(self.student.logits(states).float(), batch.labels, reduction="none")
        return (1 - (-nll).exp()) ** GAMMA * nll
