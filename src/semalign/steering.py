"""Steering (Section 4.3): train one student layer through LoRA, everything else frozen."""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm
from transformers import PreTrainedModel

from semalign.architecture import Architecture
from semalign.files import atomic_path
from semalign.objective import Objective
from semalign.settings import TransferSettings
from semalign.supervision import Supervision

logger = logging.getLogger(__name__)


def add_lora(student: PreTrainedModel, layers: Sequence[int], settings: TransferSettings) -> PeftModel:
    """Return the student with LoRA on the up, down, value and output matrices of some layers (Appendix A.2).

    The student itself stays as it is: the copy shares its weights and owns only the adapter.

    Args:
        student: a causal language model.
        layers: 1-based numbers of the layers to adapt; everything else is frozen.
        settings: rank, scale, dropout and seed of the adapter.
    """
    frozen = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in student.parameters()}
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=settings.lora_dropout,
        target_modules=Architecture(student).lora_targets(layers),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        return get_peft_model(deepcopy(student, frozen), config)  # type: ignore[return-value]


@contextmanager
def _adapter_dropout(model: nn.Module) -> Iterator[None]:
    """Turn on the adapter's dropout and no other: the states below the trained layer were made without any."""
    modules = [module for name, module in model.named_modules() if "lora_dropout" in name]
    try:
        for module in modules:
            module.train()
        yield
    finally:
        for module in modules:
            module.eval()


class Steering:
    """One training run: batches in a seeded order, AdamW with warm-up and linear decay, a checkpoint each epoch.

    Args:
        objective: what to minimise.
        supervision: what to train on.
        settings: epochs, batch size, learning rate and so on.
        checkpoint: file for the state after each epoch, or None to keep none.
        identity: what the run depends on; a checkpoint of another identity is not resumed.
    """

    def __init__(
        self, objective: Objective, supervision: Supervision, settings: TransferSettings,
        checkpoint: Path | None = None, identity: str = "",
    ) -> None:
        self.objective, self.supervision, self.settings = objective, supervision, settings
        self.checkpoint, self.identity = checkpoint, identity
        self.parameters = {name: p for name, p in objective.student.model.named_parameters() if p.requires_grad}
        self.steps = -(-len(supervision.examples) // settings.batch_size)
        self.optimizer = torch.optim.AdamW(
            self.parameters.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.losses: list[dict[str, float]] = []

    def run(self) -> list[dict[str, float]]:
        """Train to the end, from the last checkpoint if there is one; return the losses of every step."""
        self._resume()
        done = len(self.losses) // self.steps
        progress = tqdm(
            total=self.steps * self.settings.epochs, initial=len(self.losses), desc="steering", leave=False, disable=None
        )
        with progress, torch.random.fork_rng(), _adapter_dropout(self.objective.student.model):
            for epoch in range(done, self.settings.epochs):
                self._epoch(epoch, progress)
                self._save()
        return self.losses

    def _epoch(self, epoch: int, progress: tqdm) -> None:
        torch.manual_seed(self.settings.seed * 10_000 + epoch)
        order = torch.randperm(len(self.supervision.examples)).tolist()
        for indices in _slices(order, self.settings.batch_size):
            terms = self._step(indices)
            self.losses.append(terms)
            progress.set_postfix({name: f"{value:.3f}" for name, value in terms.items()})
            progress.update()

    def _step(self, indices: Sequence[int]) -> dict[str, float]:
        self.optimizer.zero_grad(set_to_none=True)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate(len(self.losses) + 1)
        labelled, matched = self.supervision.counts(indices)
        sums = {"layer": 0.0, "output": 0.0}
        for part in _slices(indices, self.settings.micro_batch_size or self.settings.batch_size):
            counts = self.supervision.counts(part)
            terms = self.objective(self.supervision.batch(part))
            # Averages over the whole batch, whatever the size of its parts.
            layer, output = terms.layer * counts[1] / max(matched, 1), terms.output * counts[0] / labelled
            (self.settings.layer_weight * layer + self.settings.output_weight * output).backward()
            sums["layer"] += layer.item()
            sums["output"] += output.item()
        if not all(map(math.isfinite, sums.values())):
            raise FloatingPointError(f"the loss is not finite at step {len(self.losses) + 1}: lower learning_rate")
        self.optimizer.step()
        return sums

    def _rate(self, step: int) -> float:
        """Share of the learning rate at a step, from 1: linear warm-up, then linear decay towards zero."""
        total = self.steps * self.settings.epochs
        warmup = round(self.settings.warmup_ratio * total)
        return step / warmup if step <= warmup else (total - step + 1) / (total - warmup)

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        tensors = {f"parameter.{name}": p.detach().clone() for name, p in self.parameters.items()}
        for name, p in self.parameters.items():
            tensors |= {f"{key}.{name}": value.clone() for key, value in self.optimizer.state[p].items()}
        metadata = {"identity": self.identity, "losses": json.dumps(self.losses)}
        with atomic_path(self.checkpoint) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    @torch.no_grad()
    def _resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        with safe_open(self.checkpoint, framework="pt") as file:
            if file.metadata()["identity"] != self.identity:
                logger.warning("%s belongs to other settings or data: starting anew", self.checkpoint)
                return
            for name, p in self.parameters.items():
                p.copy_(file.get_tensor(f"parameter.{name}"))
                keys = ("step", "exp_avg", "exp_avg_sq")
                self.optimizer.state[p] = {key: file.get_tensor(f"{key}.{name}") for key in keys}
            self.losses = json.loads(file.metadata()["losses"])


def _slices(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (indices[start : start + size] for start in range(0, len(indices), size))
