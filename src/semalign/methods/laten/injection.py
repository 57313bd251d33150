"""Choose neurons by their scores, read their weights from the teacher, and add changes to the student's.

A neuron is a row of the up or value matrix and a column of the down or output matrix. The i-th ranked teacher neuron of
a layer gives its weights to the i-th ranked student neuron of the layer it is paired with.

Grouped queries: a value dimension has G columns in W_o, one for each query head of its group. The order of these heads
means nothing (a model with permuted ones is the same model), and neither does G, which may differ between teacher
and student; so the mean of the teacher's columns is what is transferred, and the change is added to each of the
student's. With G = 1 this is the published method.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from semalign.methods.laten.gated import DOWN, KINDS, OUTPUT, UP, VALUE, grouping, neuron_counts, weight
from semalign.methods.laten.neurons import Scores
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel


class Matrix(NamedTuple):
    """A weight matrix that holds neurons: where it is, of which kind they are, and along which axis they lie."""

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
    """Chosen neurons of one kind: 1-based layers, shallow to deep, and in each the neurons (layers, n), best first."""

    layers: tuple[int, ...]
    neurons: Tensor


def locate(
    teacher: Architecture,
    teacher_scores: Mapping[str, Scores],
    student: Architecture,
    student_scores: Mapping[str, Scores],
    share: float,
) -> tuple[dict[str, Located], dict[str, Located]]:
    """Return the neurons to transfer and those that receive them, for each kind of sub-layer.

    ``L = min(L_T, L_S)`` layers of the largest scores are kept in both models, put in order and paired in that order,
    so a deeper teacher gives its best L_S layers to all layers of the student. In each layer, ``share`` of the
    student's neurons of that kind are chosen, by score.
    """
    n_layers = min(teacher.n_layers, student.n_layers)
    chosen: tuple[dict[str, Located], dict[str, Located]] = ({}, {})
    for kind in KINDS:
        mine, theirs = neuron_counts(student)[kind], neuron_counts(teacher)[kind]
        count = min(theirs, max(1, int(round(share * mine, 6))))
        for found, scores in zip(chosen, (teacher_scores, student_scores), strict=True):
            found[kind] = _top(scores[kind], n_layers, count)
    return chosen


def _top(scores: Scores, n_layers: int, count: int) -> Located:
    order = scores.layers.argsort(descending=True, stable=True)  # stable: equal scores always rank alike
    layers = order[:n_layers].sort().values
    neurons = scores.neurons[layers].argsort(dim=-1, descending=True, stable=True)[:, :count]
    return Located(tuple((layers + 1).tolist()), neurons)


def teacher_vectors(teacher: Architecture, located: Mapping[str, Located]) -> dict[str, Tensor]:
    """Return the weights of chosen neurons: ``up``, ``down``, ``v`` and ``o``, each of shape (layers, n, D_T)."""
    return {
        name: torch.stack([_read(teacher, name, k, neurons) for k, neurons in zip(*located[matrix.kind], strict=True)])
        for name, matrix in MATRICES.items()
    }


def _read(model: Architecture, name: str, k: int, neurons: Tensor) -> Tensor:
    places = positions(model, name, neurons)
    matrix = MATRICES[name]
    vectors = weight(model, k, matrix.path).index_select(matrix.axis, places.flatten())
    return (vectors if matrix.axis == 0 else vectors.T).unflatten(0, places.shape).mean(1)


def positions(model: Architecture, name: str, neurons: Int[Tensor, " n"]) -> Int[Tensor, "n group"]:
    """Return the rows or columns of a matrix that belong to each neuron: one, in W_o one for each query head."""
    neurons = neurons.to(model.device)
    return grouping(model).columns(neurons) if name == "o" else neurons[:, None]


def injected(student: Architecture, located: Mapping[str, Located], deltas: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the student's changed weights by parameter name, as differentiable functions of the changes.

    Args:
        student: a Llama-like model; it stays as it is.
        located: which of its neurons change.
        deltas: for ``up``, ``down``, ``v`` and ``o`` what is added to them, each of shape (layers, n, D_S).
    """
    weights = {}
    for name, (path, kind, axis) in MATRICES.items():
        for k, neurons, delta in zip(*located[kind], deltas[name], strict=True):
            places = positions(student, name, neurons)
            rows = delta.repeat_interleave(places.shape[1], dim=0)
            matrix = weight(student, k, path)
            added = (rows if axis == 0 else rows.T).to(matrix.dtype)
            weights[f"{student.layout.layers}.{k - 1}.{path}.weight"] = matrix.index_add(axis, places.flatten(), added)
    return weights


@torch.no_grad()
def with_weights(model: LanguageModel, weights: Mapping[str, Tensor]) -> LanguageModel:
    """Return a copy of a model that has some other weights, by parameter name; it shares nothing with the original."""
    copy = deepcopy(model.model)
    for name, tensor in weights.items():
        copy.get_parameter(name).copy_(tensor)
    return LanguageModel(copy.eval(), model.tokenizer)
