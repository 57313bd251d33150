"""What the states of two models say at single tokens: their strongest atoms, and the tokens that a head reads.

The numbers behind the interactive page of the book.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semalign.bases.basis import SemanticBasis
from semalign.data.rows import Example, pad
from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.models.loading import LanguageModel
from semalign.targets.alignment import alignment_map
from semalign.targets.pairing import LayerMap

TOP = 5  # atoms or tokens shown of a state
LAST = 24  # positions of a text, at its end
INTERFACE = "layer"
VIEWS = ("teacher", "target", "before", "after")
Strongest = list[tuple[int, float]]


@dataclass(frozen=True)
class Inside:
    """Two models with the same tokenizer, and the student after a training.

    Attributes:
        teacher: the teacher.
        student: the student before training.
        adapted: the student after it.
    """

    teacher: LanguageModel
    student: LanguageModel
    adapted: LanguageModel

    @cached_property
    def bases(self) -> tuple[SemanticBasis, SemanticBasis]:
        """The output-side bases of teacher and student."""
        return SemanticBasis.from_model(self.teacher), SemanticBasis.from_model(self.student)

    @torch.no_grad()
    def look(self, example: Example) -> dict[str, Any]:
        """Return the strongest atoms and the tokens read at the last positions of a text, for all student layers.

        Args:
            example: an encoded text.

        Returns:
            ``tokens``, the token ids of the text; ``first``, the first position that was looked at; and ``layers``: for
            each student layer its number, that of its teacher layer, and ``views``: for each of :data:`VIEWS` and each
            position the ``atoms`` with their cosines, and the tokens ``read`` by the head with their probabilities.
        """
        models = {"teacher": self.teacher, "before": self.student, "after": self.adapted}
        first = max(0, len(example) - 1 - LAST)
        states = {name: self._states(model, example, first) for name, model in models.items()}
        alignment = alignment_map(*self.bases)
        layers = []
        for k, paired in LayerMap(Architecture(self.teacher.model).n_layers, Architecture(self.student.model).n_layers):
            number = {"teacher": paired, "before": k, "after": k}
            at = {name: found[number[name]] for name, found in states.items()}
            at["target"] = self._target(at["teacher"] @ alignment, at["before"])
            views = {view: self._say(view, at[view]) for view in VIEWS}
            layers.append({"student": k, "teacher": paired, "views": views})
        return {"tokens": list(example.input_ids), "first": first, "layers": layers}

    def _states(self, model: LanguageModel, example: Example, first: int) -> dict[int, Tensor]:
        architecture = Architecture(model.model)
        every = range(1, architecture.n_layers + 1)
        found = states_at(architecture, every, INTERFACE, *pad([example]))
        return {layer: state[0, first:-1].float() for layer, state in found.items()}

    def _target(
        self, aligned: Float[Tensor, "n d_student"], own: Float[Tensor, "n d_student"]
    ) -> Float[Tensor, "n d_student"]:
        """Return the aligned states with the length of the student's own, since alignment gives a direction only."""
        return normalize(aligned, dim=-1) * own.norm(dim=-1, keepdim=True)

    def _say(self, view: str, states: Float[Tensor, "n d"]) -> dict[str, list[Strongest]]:
        model, basis = (self.teacher, self.bases[0]) if view == "teacher" else (self.student, self.bases[1])
        architecture = Architecture(model.model)
        cosines = normalize(states, dim=-1) @ basis.unit.T
        read = architecture.logits(architecture.norm(states)).softmax(-1)
        return {"atoms": _strongest(cosines), "read": _strongest(read)}


def _strongest(values: Float[Tensor, "n v"]) -> list[Strongest]:
    """Return for each position the ids of the largest values, and the values to two decimals."""
    found = values.topk(TOP, dim=-1)
    rows = zip(found.indices.tolist(), found.values.tolist(), strict=True)
    return [[(i, round(value, 2)) for i, value in zip(*row, strict=True)] for row in rows]


def used_tokens(looks: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return all token ids that occur in some looks, each once and in order."""
    found = {i for look in looks for i in look["tokens"]}
    views = [view for look in looks for layer in look["layers"] for view in layer["views"].values()]
    found |= {i for view in views for kind in view.values() for strongest in kind for i, _ in strongest}
    return sorted(found)


def shared_atoms_share(looks: Iterable[Mapping[str, Any]], view: str, other: str) -> float:
    """Return which share of the strongest atoms of one view are among those of another, over all layers and positions.

    Args:
        looks: see :meth:`Inside.look`.
        view: one of :data:`VIEWS`.
        other: another one.
    """
    views = [layer["views"] for look in looks for layer in look["layers"]]
    pairs = [pair for at in views for pair in zip(at[view]["atoms"], at[other]["atoms"], strict=True)]
    common = sum(len({i for i, _ in one} & {i for i, _ in two}) for one, two in pairs)
    return common / sum(len(one) for one, _ in pairs)
