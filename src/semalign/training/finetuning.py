"""Supervised fine-tuning: cross-entropy of the responses, through the whole model."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from semalign.data.rows import IGNORED, Example, batches
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.evaluating import evaluating
from semalign.models.finite import check_finite
from semalign.models.token_losses import token_losses
from semalign.settings import TrainingSettings
from semalign.training.loop import Training


class FineTuning(Training):
    """Training of a model's trainable parameters by the cross-entropy of the responses.

    A step minimises the average over all response tokens of its batch, for any ``micro_batch_size``.

    Args:
        student: the model; parameters without ``requires_grad`` stay frozen.
        examples: the rows, encoded for the student.
        settings: epochs, batch size, learning rate and so on.
        checkpoint: file for the state, or None for no checkpoints.
        identity: hash of everything but the epochs that the run depends on; only a checkpoint with it is resumed.
    """

    student: Architecture

    def __init__(
        self,
        student: Architecture,
        examples: Sequence[Example],
        settings: TrainingSettings,
        checkpoint: Path | None = None,
        identity: str = "",
    ) -> None:
        self.student, self.examples = student, examples
        super().__init__(student.model, len(examples), settings, checkpoint, identity)

    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Add the gradient of the mean cross-entropy on a batch of examples; return the mean.

        Of several processes, each has its share of the examples.
        """
        examples = [self.examples[i] for i in indices]
        total, mean = _response_tokens(examples), 0.0
        own = processes.share(examples)
        assert self.parts is not None
        for part in self.parts.by_length(own, list(map(len, own))):
            share = summed_nll(self.student, part) / total
            self.scale.backward(share)
            mean += share.item()
        return {"cross_entropy": mean}


def summed_nll(model: Architecture, examples: Sequence[Example]) -> Float[Tensor, ""]:
    """Return the summed negative log-likelihood of all response tokens of one batch, in nats.

    Logits are computed only at positions that predict a response token, some at a time (:func:`token_losses`).
    """
    return _token_nll(model, examples)[0].sum()


def _token_nll(model: Architecture, examples: Sequence[Example]) -> tuple[Float[Tensor, " n"], list[int]]:
    """Return the negative log-likelihoods of all response tokens of one batch, and how many each example has."""
    batch = {name: tensor.to(model.device) for name, tensor in next(batches(examples, len(examples))).items()}
    labelled = batch["labels"][:, 1:] != IGNORED  # position i predicts token i + 1
    labels = batch.pop("labels")[:, 1:][labelled]
    losses = token_losses(model, model.run(**batch)[:, :-1][labelled], labels)
    return losses, labelled.sum(1).tolist()


def response_nll(model: Architecture, examples: Sequence[Example], batch_size: int = 16) -> float:
    """Return the mean negative log-likelihood of the response tokens, in nats; ``ValueError`` if it is not finite.

    At most ``batch_size`` examples are computed at once, fewer if these do not fit the memory.
    """
    return sum(row_nll(model, examples, batch_size)) / _response_tokens(examples)


def row_nll(model: Architecture, examples: Sequence[Example], batch_size: int = 16) -> list[float]:
    """Return for each example the summed negative log-likelihood of its response, in nats; else as `response_nll`."""

    def summed(part: Sequence[Example]) -> list[float]:
        losses, counts = _token_nll(model, part)
        sums = torch.stack([each.sum() for each in losses.split(counts)])
        check_finite(sums, "the log-likelihoods", model, partial(summed_nll, model, part))
        return sums.tolist()

    with evaluating(model.model):
        own, parts = processes.share(examples), FittingParts(model, batch_size, logits=True)
        found = torch.zeros(len(examples), dtype=torch.float64)
        found[processes.number() :: processes.count()] = torch.tensor(
            parts.each(summed, own, list(map(len, own))), dtype=torch.float64
        )
    processes.add_up([found])
    return found.tolist()


def _response_tokens(examples: Sequence[Example]) -> int:
    return sum(len(example.positions()) for example in examples)
