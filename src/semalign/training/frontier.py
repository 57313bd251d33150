"""The frontier schedule, from what is known of the paper's second version: layers train one after the other.

From layer 1 to L_S only the layer at the frontier trains, each with its one partner among the teacher's layers; those
below have been trained and stay. Only the abstract of that version is at hand: how steps are shared out is decided
here. All layers together get the steps that one layer would get, an equal part each.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from semalign.data.rows import Row
from semalign.files import json_fingerprint
from semalign.models.architecture import Architecture
from semalign.paths import cache_dir
from semalign.targets.builder import ModelPair
from semalign.targets.pairing import LayerMap
from semalign.training.finetuning import response_nll
from semalign.training.steering import Steering, add_lora


def steer_frontier(
    pair: ModelPair, rows: Sequence[Row], held_out: Sequence[Row] | None, folder: Path | None
) -> tuple[PeftModel, list[dict[str, float]], dict[str, Any]]:
    """Return the adapted student, the losses of every step, and details for the record.

    States are made for each layer anew, since they depend on the layers that have been trained, and not kept. A
    stopped run goes on at the layer and epoch where it stopped, by one checkpoint for each layer in ``folder``.

    Args:
        pair: teacher, student and settings.
        rows: what to train on.
        held_out: rows to measure the response NLL on, before and after.
        folder: where checkpoints go, or None to keep none.
    """
    alignment = pair.alignment()
    layer_map = LayerMap(pair.teacher_architecture.n_layers, pair.student_architecture.n_layers)
    adapted = add_lora(pair.student.model, range(1, layer_map.n_student + 1), pair.settings)
    student = Architecture(adapted)
    losses: list[dict[str, float]] = []
    pairs: list[list[Any]] = []
    checked = None if held_out is None else pair.encode(held_out)[0]
    before = None if checked is None else {"response_nll": response_nll(student, checked)}
    passes, parts = shares(rows, layer_map.n_student, pair.settings.epochs, pair.settings.seed)
    settings = pair.settings.model_copy(update={"epochs": passes})
    cache_dir().mkdir(parents=True, exist_ok=True)
    for (k, layer), share in zip(layer_map, parts, strict=True):
        mixture = pair.mixture(layer, k)
        train_only(student, [k])
        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="frontier-") as states:
            supervision = pair.supervision(share, alignment, mixture, k, Path(states), student)
            identity = json_fingerprint([pair.fingerprints, pair.settings.model_dump(), mixture, k, list(rows)])
            checkpoint = None if folder is None else folder / f"checkpoint-{k}.safetensors"
            objective = pair.objective(adapted, k, supervision)
            losses += Steering(objective, supervision, settings, checkpoint, identity).run()
        pairs.append([[list(part) for part in mixture], k])
    train_only(student, range(1, layer_map.n_student + 1))
    details = {
        "pairs": pairs,
        "before": before,
        "after": None if checked is None else {"response_nll": response_nll(student, checked)},
        "adapter_parameters": sum(p.numel() for p in adapted.parameters() if p.requires_grad),
    }
    return adapted, losses, details


def shares(rows: Sequence[Row], n_layers: int, epochs: int, seed: int) -> tuple[int, list[list[Row]]]:
    """Return how often each layer goes through its rows, and the rows of each layer.

    Together they are ``epochs`` times the rows: with fewer epochs than layers, each layer sees a window of the rows in
    a seeded order, and the next layer's window follows, round and round.

    >>> passes, parts = shares([{"prompt": str(i)} for i in range(4)], n_layers=4, epochs=2, seed=0)
    >>> passes, [len(part) for part in parts]
    (1, [2, 2, 2, 2])
    """
    passes = -(-epochs // n_layers)
    size = max(1, round(len(rows) * epochs / (n_layers * passes)))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    return passes, [[rows[order[i % len(rows)]] for i in range(k * size, (k + 1) * size)] for k in range(n_layers)]


def train_only(student: Architecture, layers: Sequence[int]) -> None:
    """Let the adapters of some layers ask for gradients, and those of all others not."""
    for k, layer in enumerate(student.layers, start=1):
        for name, parameter in layer.named_parameters():
            if "lora_" in name:
                parameter.requires_grad_(k in layers)
