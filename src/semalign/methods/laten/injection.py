"""Choose neurons by their scores, read their weights from the teacher, and add changes to the student's weights.

A neuron is a row of the up or value matrix and a column of the down or output matrix. The i-th ranked teacher neuron of
a layer gives its weights to the i-th ranked student neuron of the paired layer.

Grouped queries: a value dimension has G columns in W_o, one for each query head of its group. The order of these heads
is arbitrary (a model with permuted heads is the same model), and G may differ between teacher and student. Therefore
the mean of the teacher's columns is transferred, and the change is added to each of the student's columns. With G = 1
this is the published method.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from semalign.methods.laten.gated import DOWN, KINDS, OUTPUT, UP, VALUE, grouping, neuron_counts, weight
from semalign.methods.laten.neurons import Scores
from semalign.models.architecture import Architecture
from semalign.models.precision import wide


class Matrix(NamedTuple):
    """A weight matrix that holds neurons: its path in a layer, their kind, and the axis that indexes them."""

    path: str
    kind: str
    axis: int


MATRICES = {
    "up": Matrix(UP, "ffn", 0),
    "down": Matrix(DOWN, "ffn", 1),
    "v": Matrix(VALUE, "attention", 0),
    "o": Matrix(OUTPUT, "attention", 1),
}


class Located(NamedTuple):
    """Chosen neurons of one kind: 1-based layers, shallow to deep, and their neurons, best first, (layers, n)."""

    layers: tuple[int, ...]
    neurons: Tensor


def locate(
    teacher: Architecture,
    teacher_scores: Mapping[str, Scores],
    student: Architecture,
    student_scores: Mapping[str, Scores],
    share: float,
) -> tuple[dict[str, Located], dict[str, Located]]:
    """Return the teacher neurons to transfer and the student neurons that receive them, for each kind of sub-layer.

    In both models, the ``L = min(L_T, L_S)`` layers with the largest scores are chosen, sorted by depth and paired in
    this order. A deeper teacher thus gives its best L_S layers to all layers of the student. In each layer, the
    neurons with the largest scores are chosen: a ``share`` of the student's number of neurons of that kind.
    """
    counts = sizes(teacher, student, share)
    return choose(teacher_scores, counts), choose(student_scores, counts)


class Sizes(NamedTuple):
    """How many layers are paired, and how many neurons of each kind in a layer."""

    layers: int
    neurons: dict[str, int]


def sizes(teacher: Architecture, student: Architecture, share: float) -> Sizes:
    """Return the numbers of layers and neurons to choose in both models, which only their shapes determine."""
    large, small = neuron_counts(teacher), neuron_counts(student)
    # Rounding first: 0.29 * 100 < 29.
    counts = {kind: min(large[kind], max(1, int(round(share * small[kind], 6)))) for kind in KINDS}
    return Sizes(min(teacher.n_layers, student.n_layers), counts)


def choose(scores: Mapping[str, Scores], wanted: Sizes) -> dict[str, Located]:
    """Return the layers and neurons of one model with the largest scores, for each kind of sub-layer."""
    return {kind: _top(scores[kind], wanted.layers, wanted.neurons[kind]) for kind in KINDS}


def _top(scores: Scores, n_layers: int, count: int) -> Located:
    order = scores.layers.argsort(descending=True, stable=True)  # stable, so that the ranking of ties is reproducible
    layers = order[:n_layers].sort().values
    neurons = scores.neurons[layers].argsort(dim=-1, descending=True, stable=True)[:, :count]
    return Located(tuple((layers + 1).tolist()), neurons)


def teacher_vectors(teacher: Architecture, located: Mapping[str, Located]) -> dict[str, Tensor]:
    """Return the ``up``, ``down``, ``v`` and ``o`` weights of the chosen neurons, each of shape (layers, n, D_T)."""
    return {
        name: torch.stack([_read(teacher, name, k, neurons) for k, neurons in zip(*located[matrix.kind], strict=True)])
        for name, matrix in MATRICES.items()
    }


def _read(model: Architecture, name: str, k: int, neurons: Tensor) -> Tensor:
    places = positions(model, name, neurons)  # (n, group)
    matrix = MATRICES[name]
    vectors = wide(weight(model, k, matrix.path).index_select(matrix.axis, places.flatten()))
    # (n * group, D), then the mean over the query heads of a group
    return (vectors if matrix.axis == 0 else vectors.T).unflatten(0, places.shape).mean(1)


def positions(model: Architecture, name: str, neurons: Int[Tensor, " n"]) -> Int[Tensor, "n group"]:
    """Return the rows or columns of a matrix that belong to each neuron: one, or in W_o one for each query head."""
    neurons = neurons.to(model.device)
    return grouping(model).columns(neurons) if name == "o" else neurons[:, None]


def injected(student: Architecture, located: Mapping[str, Located], deltas: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the student's changed weights by parameter name, as differentiable functions of the changes.

    Args:
        student: a Llama-like model; it is not changed.
        located: the neurons that change.
        deltas: the changes of ``up``, ``down``, ``v`` and ``o``, each of shape (layers, n, D_S).
    """
    weights = {}
    for name, (path, kind, axis) in MATRICES.items():
        for k, neurons, delta in zip(*located[kind], deltas[name], strict=True):
            places = positions(student, name, neurons)
            rows = delta.repeat_interleave(places.shape[1], dim=0)  # (n * group, D_S), in the order of places.flatten()
            matrix = weight(student, k, path)
            added = (rows if axis == 0 else rows.T).to(matrix.dtype)
            weights[f"{student.layout.layers}.{k - 1}.{path}.weight"] = matrix.index_add(axis, places.flatten(), added)
    return weights


@torch.no_grad()
def replace_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Replace some weights of a model, by parameter name."""
    for name, tensor in weights.items():
        model.get_parameter(name).copy_(tensor)
