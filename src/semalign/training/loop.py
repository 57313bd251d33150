"""The training loop of all objectives: seeded batches, AdamW with warm-up, a checkpoint after each epoch."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from tqdm import tqdm

from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.finite import NotFiniteError, not_finite
from semalign.settings import TrainingSettings
from semalign.tensor_files import kept_tensors, write_tensors
from semalign.training.loss_scale import LossScale

logger = logging.getLogger(__name__)
T = TypeVar("T")


@contextmanager
def adapter_dropout(model: nn.Module) -> Iterator[None]:
    """Turn on the dropout of the adapter only, so that frozen modules behave in training as at inference."""
    modules = [module for name, module in model.named_modules() if "lora_dropout" in name]
    try:
        for module in modules:
            module.train()
        yield
    finally:
        for module in modules:
            module.eval()


def check_loss(terms: Mapping[str, float], step: int, student: Architecture | None, rerun: Callable[[], Any]) -> None:
    """Make sure that a loss is finite.

    Args:
        terms: the terms of the loss.
        step: the number of its step, from 1.
        student: the model that the loss is computed with, if it is known.
        rerun: computes the loss again.

    Raises:
        NotFiniteError: for NaN or infinity. No update has come before the first step: what is wrong is then in the
            model, and the message says where.
    """
    if all(map(math.isfinite, terms.values())):
        return
    if step == 1 and student is not None:
        raise not_finite("the losses of the first step", student, rerun)
    raise NotFiniteError(f"the loss is not finite at step {step}: lower learning_rate")


class Training(ABC):
    """Training on batches in a seeded order, by AdamW with warm-up and linear decay.

    A subclass defines :meth:`backward`, the gradient of its objective, and may define ``student``, the model that
    computes it and is named if its first loss is not finite.

    Args:
        model: model or module whose parameters with ``requires_grad`` are trained.
        n_examples: number of examples; :meth:`backward` receives the indices of a batch.
        settings: epochs, batch size, learning rate and so on.
        checkpoint: file for the state after each epoch, or None for no checkpoints.
        identity: hash of everything that the run depends on; only a checkpoint with the same identity is resumed.
    """

    settings: TrainingSettings
    student: Architecture | None = None

    def __init__(
        self,
        model: nn.Module,
        n_examples: int,
        settings: TrainingSettings,
        checkpoint: Path | None = None,
        identity: str = "",
    ) -> None:
        self.model, self.n_examples, self.settings = model, n_examples, settings
        self.checkpoint, self.identity = checkpoint, identity
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.steps = -(-n_examples // settings.batch_size)  # steps of an epoch, rounded up
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.losses: list[dict[str, float]] = []
        self.scale = LossScale(model)

    @abstractmethod
    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Accumulate the gradient of the objective on a batch in the parameters; return the terms of the objective.

        Losses are differentiated by ``self.scale.backward(loss)``. Of several processes, each computes the part of
        ``processes.share(indices)``, divided by the positions of the whole batch: gradients and terms are added up
        over processes, which then all take the same step.
        """

    def run(self) -> list[dict[str, float]]:
        """Train all epochs, starting from the checkpoint if there is one; return the losses of every step."""
        self._resume()
        processes.check_equal(
            len(self.losses), f"{self.checkpoint} is not the same file for all processes: all machines must share it"
        )
        processes.equalise(self.parameters.values())
        done = len(self.losses) // self.steps  # checkpoints are written at the end of an epoch
        progress = tqdm(
            total=self.steps * self.settings.epochs,
            initial=len(self.losses),
            desc=type(self).__name__.lower(),
            leave=False,
            disable=processes.quiet(),
        )
        with progress, plain_torch(gradients=True), torch.random.fork_rng(), adapter_dropout(self.model):
            for epoch in range(done, self.settings.epochs):
                self._epoch(epoch, progress)
                processes.by_first(self._save)
        return self.losses

    def _epoch(self, epoch: int, progress: tqdm) -> None:
        # Each epoch has its own seed, so that a resumed run draws the same order and dropout as an uninterrupted one.
        torch.manual_seed(self.settings.seed * 10_000 + epoch)
        order = torch.randperm(self.n_examples).tolist()
        if not processes.is_first():  # masks of dropout differ from those of the first process, as its rows do
            torch.manual_seed((processes.number() << 48) + self.settings.seed * 10_000 + epoch)
        self.scale.reset()
        for indices in slices(order, self.settings.batch_size):
            terms = self._step(indices)
            self.losses.append(terms)
            progress.set_postfix({name: f"{value:.3f}" for name, value in terms.items()})
            progress.update()

    def _step(self, indices: Sequence[int]) -> dict[str, float]:
        self.optimizer.zero_grad(set_to_none=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate(len(self.losses) + 1)
        terms = self.scale.gradients(lambda: self._summed(self.backward(indices)), self.parameters.values())
        check_loss(terms, len(self.losses) + 1, self.student, lambda: self.backward(indices))
        self.optimizer.step()
        return terms

    def _summed(self, terms: dict[str, float]) -> dict[str, float]:
        """Add up over all processes the gradients and the terms of a batch."""
        if processes.count() > 1:
            for p in self.parameters.values():
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
            processes.add_up(p.grad for p in self.parameters.values() if p.grad is not None)
        return processes.sums(terms)

    def _rate(self, step: int) -> float:
        """Return the factor on the learning rate at a step, counted from 1: linear warm-up, then linear decay."""
        total = self.steps * self.settings.epochs
        warmup = round(self.settings.warmup_ratio * total)
        return step / warmup if step <= warmup else (total - step + 1) / (total - warmup)

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        tensors = {f"parameter.{name}": p.detach().clone() for name, p in self.parameters.items()}
        for name, p in self.parameters.items():  # AdamW's step, exp_avg and exp_avg_sq of each parameter
            tensors |= {f"{key}.{name}": value.clone() for key, value in self.optimizer.state[p].items()}
        write_tensors(self.checkpoint, tensors, {"identity": self.identity, "losses": self.losses})

    @torch.no_grad()
    def _resume(self) -> None:
        """Restore the checkpoint if there is one of this run; a damaged one is not used, with a warning."""
        if self.checkpoint is None or (found := kept_tensors(self.checkpoint)) is None:
            return
        tensors, notes = found
        if notes["identity"] != self.identity:
            logger.warning(
                "%s belongs to other models, settings, data or versions of libraries: starting anew", self.checkpoint
            )
            return
        for name, p in self.parameters.items():
            p.copy_(tensors[f"parameter.{name}"])
            moments = {key: tensors[f"{key}.{name}"].to(p.device) for key in ("exp_avg", "exp_avg_sq")}
            self.optimizer.state[p] = {"step": tensors[f"step.{name}"], **moments}  # AdamW counts on the CPU
        self.losses = notes["losses"]


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield consecutive parts of ``items`` with ``size`` items each; the last one may be shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))
