"""The checkpoint of a training run: all that a run needs to go on, bit for bit, from the step where it stopped."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from semalign.tensor_files import kept_tensors, write_tensors
from semalign.training.random_state import State, random_state

logger = logging.getLogger(__name__)
RANDOM = "random."


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
        identity: hash of everything that the run depends on; only a checkpoint with the same identity is read.
        parameters: the trained parameters by name.
        optimizer: their optimiser.
    """

    def __init__(
        self, path: Path | None, identity: str, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
    ) -> None:
        self.path, self.identity = path, identity
        self.parameters, self.optimizer = parameters, optimizer

    def write(self, losses: list[dict[str, float]], scale: float) -> None:
        """Write the state of the run as it is now."""
        if self.path is None:
            return
        tensors = {f"parameter.{name}": p.detach().clone() for name, p in self.parameters.items()}
        for name, p in self.parameters.items():  # AdamW's step, exp_avg and exp_avg_sq of each parameter
            tensors |= {f"{key}.{name}": value.clone() for key, value in self.optimizer.state[p].items()}
        tensors |= {f"{RANDOM}{device}": state for device, state in random_state().items()}
        write_tensors(self.path, tensors, {"identity": self.identity, "losses": losses, "scale": scale})

    def read(self) -> Position | None:
        """Restore weights and optimiser and return where the run stood; None if there is no checkpoint of this run.

        A damaged checkpoint and one of another run are not used, with a warning.
        """
        if self.path is None or (found := kept_tensors(self.path)) is None:
            return None
        tensors, notes = found
        if notes["identity"] != self.identity:
            logger.warning(
                "%s belongs to other models, settings, data or versions of libraries: starting anew", self.path
            )
            return None
        self._restore(tensors)
        random = {name.removeprefix(RANDOM): state for name, state in tensors.items() if name.startswith(RANDOM)}
        return Position(notes["losses"], notes["scale"], random)

    @torch.no_grad()
    def _restore(self, tensors: Mapping[str, Tensor]) -> None:
        for name, p in self.parameters.items():
            p.copy_(tensors[f"parameter.{name}"])
            moments = {key: tensors[f"{key}.{name}"].to(p.device) for key in ("exp_avg", "exp_avg_sq")}
            self.optimizer.state[p] = {"step": tensors[f"step.{name}"], **moments}  # AdamW counts on the CPU
