"""The checkpoint of a training run: all that a run needs to go on, bit for bit, from the step where it stopped."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from semalign.models.random_state import State, random_state
from semalign.tensor_files import kept_tensors, write_tensors
from semalign.training.learning_rate import LinearDecay

logger = logging.getLogger(__name__)
RANDOM = "random."
ADAMW = ("step", "exp_avg", "exp_avg_sq")  # what AdamW knows of each parameter


class Position(NamedTuple):
    """Where a run stands, besides its weights and the optimiser's state.

    Attributes:
        losses: the terms of the loss at every step so far.
        scale: the loss scale.
        random: the state of the random number generators.
    """

    losses: list[dict[str, float]]
    scale: float
    random: State


class Checkpoint:
    """The checkpoint file of one run.

    Args:
        path: the file, or None for no checkpoints.
        identity: hash of everything but the epochs that the run depends on; only a checkpoint with it is read.
        parameters: the trained parameters by name.
        optimizer: their optimiser.
        rate: the learning rate; a checkpoint of another number of steps is read if its steps had the same rates.
    """

    def __init__(
        self,
        path: Path | None,
        identity: str,
        parameters: Mapping[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        rate: LinearDecay,
    ) -> None:
        self.path, self.identity, self.rate = path, identity, rate
        self.parameters, self.optimizer = parameters, optimizer

    def write(self, losses: list[dict[str, float]], scale: float) -> None:
        """Write the state of the run as it is now."""
        if self.path is None:
            return
        tensors = {f"parameter.{name}": p.detach().clone() for name, p in self.parameters.items()}
        for name, p in self.parameters.items():
            tensors |= {f"{key}.{name}": self.optimizer.state[p][key].clone() for key in ADAMW}
        tensors |= {f"{RANDOM}{device}": state for device, state in random_state().items()}
        notes = {"identity": self.identity, "total": self.rate.total, "losses": losses, "scale": scale}
        write_tensors(self.path, tensors, notes)

    def read(self) -> Position | None:
        """Restore weights and optimiser and return where the run stood; None if there is no checkpoint of this run.

        A damaged checkpoint and one of another run are not used, with a warning.
        """
        if self.path is None or (found := kept_tensors(self.path)) is None:
            return None
        tensors, notes = found
        if (reason := self._other(notes)) is not None:
            logger.warning("%s %s: starting anew", self.path, reason)
            return None
        self._restore(tensors)
        random = {name.removeprefix(RANDOM): state for name, state in tensors.items() if name.startswith(RANDOM)}
        return Position(notes["losses"], notes["scale"], random)

    def _other(self, notes: Mapping[str, Any]) -> str | None:
        """Return why a checkpoint is not one of this run, or None if it is."""
        if notes["identity"] != self.identity:
            return "belongs to other models, settings, data or versions of libraries"
        made = self.rate._replace(total=notes["total"])
        if not self.rate.agrees(made, len(notes["losses"])):
            return (
                f"is of a run of {made.total} steps, this one has {self.rate.total}, and the learning rate falls over "
                "all of them (to train on from a finished result, give its folder as --adapter, and another --out)"
            )
        return None

    @torch.no_grad()
    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        for name, p in self.parameters.items():
            p.copy_(tensors[f"parameter.{name}"])
        state = [{key: tensors[f"{key}.{name}"] for key in ADAMW} for name in self.parameters]
        # PyTorch brings each number to the device and type that the optimiser wants.
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": dict(enumerate(state)), "param_groups": groups})
