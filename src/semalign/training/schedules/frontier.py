"""The frontier schedule, after the abstract of the paper's second version: layers are trained one after the other.

The frontier moves from layer 1 to L_S. Only the layer at the frontier is trained, with its one teacher layer; the
layers below it have been trained already and stay frozen. The abstract does not say how optimiser steps are divided
among the layers. Here, all layers together get about as many steps as one layer would get, in equal shares, and each
gets at least one.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from peft import PeftModel

from semalign.data.rows import Row
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.parking import parked
from semalign.paths import cache_dir
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair, layer_map, paired
from semalign.targets.supervision import Supervision
from semalign.training.adaptation import Adapted, Inputs, trainable
from semalign.training.lora import add_lora, train_only
from semalign.training.objective import Objective
from semalign.training.output_terms import OUTPUT_TERMS
from semalign.training.schedules import schedule
from semalign.training.steering import Steering


@schedule("frontier", every_layer=True)
def steer_frontier(inputs: Inputs) -> Adapted:
    """Train each student layer in turn.

    The teacher's states for all layers come first. The student's depend on the layers that have been trained, so they
    are computed anew for each layer. None are kept. The folder holds one checkpoint for each layer; a stopped run
    resumes at the layer and epoch where it stopped.
    """
    settings: TransferSettings = inputs.settings
    needs_logits = OUTPUT_TERMS[settings.output_loss].needs_teacher
    builder = TargetBuilder(inputs.pair, settings, teacher_logits=needs_logits, rows=inputs.rows)
    vocabulary = builder.heads.vocabulary(inputs.rows)
    pairs = [paired(inputs.pair, settings, layer, k) for k, layer in layer_map(inputs.pair, settings)]
    passes, parts = shares(inputs.rows, len(pairs), settings.epochs, settings.seed)
    with processes.one_temporary_folder(cache_dir() / "states") as states:
        # From deep to shallow: a teacher by name is then loaded once, up to its deepest layer.
        turns = list(zip(pairs, parts, strict=True))[::-1]
        signals = [builder.signals(part, [pair], states) for pair, part in turns][::-1]
        inputs.pair.teacher_source.release()
        adapted = add_lora(inputs.pair.student.model, [pair.student for pair in pairs], settings)
        losses: list[dict[str, float]] = []
        for pair, part, signal in zip(pairs, parts, signals, strict=True):
            with processes.one_temporary_folder(cache_dir() / "states") as own:
                supervise = partial(builder.supervision, part, [pair], own, signals=signal)
                losses += _train_layer(inputs, supervise, adapted, pair, part, passes)
    train_only(Architecture(adapted), [pair.student for pair in pairs])
    return Adapted(
        adapted,
        losses,
        {
            "pairs": [pair.as_json() for pair in pairs],
            "adapter_parameters": trainable(adapted),
            "vocabulary": vocabulary,
        },
    )


def _train_layer(
    inputs: Inputs,
    supervise: Callable[..., Supervision],
    adapted: PeftModel,
    pair: LayerPair,
    rows: Sequence[Row],
    passes: int,
) -> list[dict[str, float]]:
    """Train the layer at the frontier for ``passes`` epochs on its rows; return the losses of every step."""
    student, k = Architecture(adapted), pair.student
    train_only(student, [k])
    supervision = supervise(student=student)
    objective = Objective(student, supervision, inputs.settings)
    settings = inputs.settings.model_copy(update={"epochs": passes})
    identity = inputs.identity(pair.as_json(), list(rows), passes)
    with parked([student, inputs.pair.student_architecture], k):
        return Steering(objective, inputs.checkpoint(f"checkpoint-{k}"), identity, settings).run()


def shares(rows: Sequence[Row], n_layers: int, epochs: int, seed: int) -> tuple[int, list[list[Row]]]:
    """Return the number of passes of each layer over its rows, and the rows of each layer.

    All layers together see about ``epochs`` times the rows, and each at least one row. With fewer epochs than layers,
    each layer sees one window of the rows in a seeded order. The windows follow each other and wrap around at the end
    of the rows.

    >>> passes, parts = shares([{"prompt": str(i)} for i in range(4)], n_layers=4, epochs=2, seed=0)
    >>> passes, [len(part) for part in parts]
    (1, [2, 2, 2, 2])
    """
    passes = -(-epochs // n_layers)
    size = max(1, round(len(rows) * epochs / (n_layers * passes)))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    return passes, [[rows[order[i % len(rows)]] for i in range(k * size, (k + 1) * size)] for k in range(n_layers)]
