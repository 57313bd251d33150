"""The training loop of all objectives: seeded batches, AdamW with warm-up, checkpoints."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from semalign import stopping
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.random_state import random_state, same_random_state, set_random_state
from semalign.settings import TrainingSettings
from semalign.training.checkpoint import Checkpoint, Position
from semalign.training.checks import adapter_dropout, check_gradients, check_loss
from semalign.training.learning_rate import LinearDecay
from semalign.training.loss_scale import LossScale
from semalign.training.progress import Progress
from semalign.training.step_memory import activations_as_set, fitting_parts
from semalign.training.watching import Watcher, unwatched

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Training(ABC):
    """Training on batches in a seeded order, by AdamW with warm-up and linear decay.

    A subclass defines :meth:`backward`, the gradient of its objective, and may define ``student``, the model that
    computes it and is named if its first loss is not finite, and ``trained_from``, the first layer that gradients
    reach. It then takes the parts of a batch from ``self.parts``, which become smaller if the memory is too little.

    A checkpoint is written after each epoch and, inside an epoch, when a stop signal comes
    (:mod:`semalign.stopping`). A run that resumes there ends with the same losses and weights, bit for bit, as one that
    was never stopped. The learning rate falls over all epochs, so a run of more or fewer epochs goes on from a
    checkpoint only if the rates of its steps are the same in both, as in the warm-up
    (:meth:`semalign.training.learning_rate.LinearDecay.agrees`); otherwise it starts anew, with a warning.

    Args:
        model: model or module whose parameters with ``requires_grad`` are trained.
        n_examples: number of examples; :meth:`backward` receives the indices of a batch.
        settings: epochs, batch size, learning rate and so on.
        checkpoint: file for the state, or None for no checkpoints.
        identity: hash of everything but the epochs that the run depends on; only a checkpoint with it is resumed.
    """

    settings: TrainingSettings
    student: Architecture | None = None
    trained_from: int = 1

    def __init__(
        self,
        model: nn.Module,
        n_examples: int,
        settings: TrainingSettings,
        checkpoint: Path | None = None,
        identity: str = "",
    ) -> None:
        self.model, self.n_examples, self.settings = model, n_examples, settings
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.steps = -(-n_examples // settings.batch_size)  # steps of an epoch, rounded up
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.rate = LinearDecay(self.steps * settings.epochs, settings.warmup_ratio)
        self.checkpoint = Checkpoint(checkpoint, identity, self.parameters, self.optimizer, self.rate)
        self.parts = None if self.student is None else fitting_parts(self.student, settings, self.trained_from)
        self.losses: list[dict[str, float]] = []
        self._watch: Watcher = unwatched
        self.scale = LossScale(model)

    @abstractmethod
    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Accumulate the gradient of the objective on a batch in the parameters; return the terms of the objective.

        Losses are differentiated by ``self.scale.backward(loss)``. Of several processes, each computes the part of
        ``processes.share(indices)``, divided by the positions of the whole batch: gradients and terms are added up
        over processes, which then all take the same step.
        """

    def prepare(self, indices: Sequence[int]) -> None:  # noqa: B027  # most objectives have nothing to prepare
        """Compute what the processes must compute together before each calls :meth:`backward`, which it may repeat."""

    def run(self, watch: Watcher = unwatched) -> list[dict[str, float]]:
        """Train all epochs, starting from the checkpoint if there is one; return the losses of every step.

        Args:
            watch: called with 0 before the first step, and after each step with its number.

        Raises:
            Stopped: after the step during which a stop signal came, if there is a checkpoint to write.
        """
        resumed, self._watch = self._resumed(), watch
        self.losses = [] if resumed is None else resumed.losses
        progress = Progress(type(self).__name__.lower(), self.rate.total, len(self.losses))
        kept = nullcontext() if self.checkpoint.path is None else stopping.postponed()
        less = activations_as_set(self.student, self.settings, self.trained_from)
        with progress, plain_torch(gradients=True), same_random_state(), adapter_dropout(self.model), kept, less:
            if not self.losses:
                watch(0)
            for epoch in range(len(self.losses) // self.steps, self.settings.epochs):
                self._epoch(epoch, progress, resumed)
                self._save()
        return self.losses

    def _resumed(self) -> Position | None:
        """Restore the checkpoint, if there is one; all processes go on from the same step, with the same weights."""
        resumed = self.checkpoint.read()
        processes.check_equal(
            0 if resumed is None else len(resumed.losses),
            f"{self.checkpoint.path} is not the same for all processes: all machines must share the output folder",
        )
        processes.equalise(self.parameters.values())
        return resumed

    def _save(self) -> None:
        processes.by_first(lambda: self.checkpoint.write(self.losses, self.scale.value))

    def _epoch(self, epoch: int, progress: Progress, resumed: Position | None) -> None:
        # Each epoch has its own seed, so that a resumed run draws the same order and dropout as an uninterrupted one.
        torch.manual_seed(self.settings.seed * 10_000 + epoch)
        order = torch.randperm(self.n_examples).tolist()
        self.scale.reset()
        done = len(self.losses) - epoch * self.steps
        if done and resumed is not None:  # in the middle of this epoch
            self.scale.value = resumed.scale
            if processes.is_first():
                set_random_state(resumed.random)
        for indices in islice(slices(order, self.settings.batch_size), done, None):
            if not processes.is_first():  # masks of dropout differ from those of the first process, as its rows do
                torch.manual_seed(_seed_of(processes.number(), self.settings.seed, len(self.losses)))
            terms = self._step(indices)
            self.losses.append(terms)
            self._watch(len(self.losses))
            progress.step(terms)
            if self._stop_wanted():
                self._stop()

    def _step(self, indices: Sequence[int]) -> dict[str, float]:
        self.optimizer.zero_grad(set_to_none=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self.rate.factor(len(self.losses) + 1)
        terms = self.scale.gradients(lambda: self._summed(self._fitting_backward(indices)), self.parameters.values())
        check_loss(terms, len(self.losses) + 1, self.student, lambda: self.backward(indices))
        check_gradients(self.parameters.values(), len(self.losses) + 1)
        self.optimizer.step()
        return terms

    def _fitting_backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Call :meth:`backward`, again with smaller parts if the memory is too little; nothing of an attempt stays."""
        self.prepare(indices)
        if self.parts is None:
            return self.backward(indices)
        state = random_state()

        def undo() -> None:
            self.optimizer.zero_grad(set_to_none=True)
            set_random_state(state)

        return self.parts.retried(lambda: self.backward(indices), undo)

    def _summed(self, terms: dict[str, float]) -> dict[str, float]:
        """Add up over all processes the gradients and the terms of a batch."""
        if processes.count() > 1:
            for p in self.parameters.values():
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
            processes.add_up(p.grad for p in self.parameters.values() if p.grad is not None)
        return processes.sums(terms)

    def _stop_wanted(self) -> bool:
        """Return whether a stop signal has come, in any process of the run: all of them stop after the same step."""
        return processes.sums({"wanted": float(stopping.wanted())})["wanted"] > 0

    def _stop(self) -> None:
        """Keep what is done and stop."""
        self._save()
        done, total = len(self.losses), self.rate.total
        logger.warning(
            "%s holds %d of %d steps: the same command goes on from there", self.checkpoint.path, done, total
        )
        stopping.stop()


def _seed_of(*numbers: int) -> int:
    """Return a seed for several numbers; the hash of a tuple of integers is the same in every run."""
    return hash(numbers) % 2**63


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield consecutive parts of ``items`` with ``size`` items each; the last one may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))
