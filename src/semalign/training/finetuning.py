"""Plain fine-tuning: cross-entropy on the responses, through the whole model."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semalign.data.rows import IGNORED, Example, batches
from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings
from semalign.training.loop import Training, slices


class FineTuning(Training):
    """Training of all that is trainable in a model by the cross-entropy of the responses.

    A step minimises the average over all response tokens of its batch, whatever the size of its parts.

    Args:
        student: the model; what does not ask for a gradient stays as it is.
        examples: the student's encoding of the rows.
        settings: epochs, batch size, learning rate and so on.
        checkpoint: file for the state after each epoch, or None to keep none.
        identity: what the run depends on; a checkpoint of another identity is not resumed.
    """

    def __init__(
        self,
        student: Architecture,
        examples: Sequence[Example],
        settings: TrainingSettings,
        checkpoint: Path | None = None,
        identity: str = "",
    ) -> None:
        super().__init__(student.model, len(examples), settings, checkpoint, identity)
        self.student, self.examples = student, examples

    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Add the gradient of the mean cross-entropy on some examples; return it."""
        examples = [self.examples[i] for i in indices]
        total, mean = _response_tokens(examples), 0.0
        for part in slices(examples, self.settings.micro_batch_size or self.settings.batch_size):
            share = summed_nll(self.student, part) / total
            share.backward()
            mean += share.item()
        return {"cross_entropy": mean}


def summed_nll(model: Architecture, examples: Sequence[Example]) -> Float[Tensor, ""]:
    """Return the negative log-likelihood of all response tokens of one batch, summed, in nats.

    Logits are computed where a response token is predicted, and nowhere else.
    """
    batch = {name: tensor.to(model.device) for name, tensor in next(batches(examples, len(examples))).items()}
    labels = batch.pop("labels")[:, 1:]
    final = model.decoder(**batch, use_cache=False).last_hidden_state[:, :-1]
    logits = model.logits(final[labels != IGNORED])
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return nn.functional.cross_entropy(wide, labels[labels != IGNORED], reduction="sum")


@torch.no_grad()
def response_nll(model: Architecture, examples: Sequence[Example], batch_size: int = 16) -> float:
    """Return the mean negative log-likelihood of a response token, in nats."""
    total = sum(summed_nll(model, part).item() for part in slices(examples, batch_size))
    return total / _response_tokens(examples)


def _response_tokens(examples: Sequence[Example]) -> int:
    return sum(len(example.positions()) for example in examples)
