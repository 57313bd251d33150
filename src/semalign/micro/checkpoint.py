"""Training checkpoints without pickle: one safetensors file with a checksum, written atomically."""

from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from semalign.tensor_files import kept_tensors, write_tensors

TENSORS = "state.safetensors"


def save(folder: Path, model: nn.Module, optimizers: list[Optimizer], steps: int, losses: list[float]) -> None:
    """Write weights, optimizer states, the number of completed steps and their losses to ``folder``."""
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for index, optimizer in enumerate(optimizers):
        for position, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{index}.{position}.{key}"] = torch.as_tensor(value).contiguous()
    write_tensors(folder / TENSORS, tensors, {"steps": steps, "losses": losses})


def restore(folder: Path, model: nn.Module, optimizers: list[Optimizer]) -> tuple[int, list[float]]:
    """Restore models and optimizers in place; return steps and losses: zero, and empty without a sound checkpoint."""
    if (found := kept_tensors(folder / TENSORS)) is None:
        return 0, []
    tensors, notes = found
    prefix = "model."
    weights = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    model.load_state_dict(weights)
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimizers]
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, position, key = name.split(".")
            states[int(index)].setdefault(int(position), {})[key] = value
    for optimizer, state in zip(optimizers, states, strict=True):
        if not state:
            continue
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return notes["steps"], notes["losses"]
