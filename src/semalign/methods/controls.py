"""Controls: SemAlign under other settings, each of which takes one part away or exchanges it.

A control is a line of the table below: its name, the key of its source in the bibliography, what it is, and the
settings that differ. Those under ``fixed`` set it apart and cannot be changed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from semalign.methods.registry import Method, add_method
from semalign.methods.semalign import align_and_steer
from semalign.settings import variant


class Control(NamedTuple):
    """One control: settings that are fixed, and other defaults than the paper's."""

    name: str
    citation: str
    description: str
    fixed: Mapping[str, Any]
    defaults: Mapping[str, Any] = {}

    def method(self) -> Method:
        """Return the method: SemAlign under these settings."""
        class_name = f"{self.name.title().replace('-', '')}Settings"
        settings = variant(class_name, {**self.fixed, **self.defaults}, self.fixed.keys())
        return Method(self.name, "control", self.citation, self.description, settings, align_and_steer)


CONTROLS = [
    # Without a part of the objective.
    Control(
        "output-cosine",
        "gu2025semalign",
        "The output cosine alone: labels, no teacher. What is left of SemAlign without its alignment.",
        {"layer_weight": 0.0, "output_loss": "cosine"},
    ),
    Control(
        "layer-cosine",
        "gu2025semalign",
        "The layer cosine alone: the teacher's aligned states, no labels.",
        {"output_weight": 0.0, "layer_loss": "cosine"},
    ),
    Control(
        "cross-entropy",
        "hu2022lora",
        "Cross-entropy on the paired layer alone: what the labels do for the same parameters, without a teacher.",
        {"layer_weight": 0.0, "output_loss": "cross_entropy"},
    ),
    # The teacher's logits in place of its states.
    Control(
        "logit-kl",
        "hinton2015distilling",
        "Logit distillation into the paired layer: forward KL to the teacher over the shared tokens "
        "(Hinton et al. 2015).",
        {"layer_weight": 0.0, "output_loss": "kl"},
    ),
    Control(
        "logit-reverse-kl",
        "gu2024minillm",
        "Logit distillation into the paired layer: reverse KL, on the data's own responses (Gu et al. 2024, MiniLLM).",
        {"layer_weight": 0.0, "output_loss": "reverse_kl"},
    ),
    # Other maps between the two spaces.
    Control(
        "permuted-atoms",
        "gu2025semalign",
        "SemAlign with permuted atoms: bases as they are, but a token means another vector in the student.",
        {"map": "permuted"},
    ),
    Control(
        "random-bases",
        "gu2025semalign",
        "SemAlign with random bases: Gaussian vectors in both models, drawn apart for each token.",
        {"map": "random"},
    ),
    Control(
        "least-squares",
        "gu2025semalign",
        "SemAlign with the map that preserves logits best, `W_S^+ W_T`, instead of cosines with atoms.",
        {"map": "least_squares"},
    ),
    Control(
        "procrustes",
        "gu2025semalign",
        "SemAlign with an orthogonal Procrustes map, fitted on states of the training rows at the paired layers.",
        {"map": "procrustes"},
    ),
    Control(
        "ridge",
        "gu2025semalign",
        "SemAlign with a ridge-regression map, fitted on states of the training rows at the paired layers.",
        {"map": "ridge"},
    ),
    # TED first trains its filters with both models frozen: for a linear filter that stage has a closed form, and the
    # projection starts there. Its mean square may be exchanged for DistillKit's cosine.
    Control(
        "layer-distillation",
        "liang2023ted",
        "Layer-wise distillation with a learned linear projection, which trains along and is thrown away "
        "(TED; DistillKit).",
        {"map": "learned"},
        {"layer_loss": "mean_square", "output_loss": "cross_entropy"},
    ),
    # Relations need no map between the spaces; whether the paper's second version aligns them first is not known, so
    # the map stays open. Weights and the sharing of steps are decided here.
    Control(
        "frontier",
        "gu2025semalign",
        "The paper's second version, as far as its abstract says: each layer in turn, from shallow to deep, matches "
        "the token-token relations of its one teacher layer's residual contribution, with a KL term to the teacher's "
        "logits.",
        {"schedule": "frontier"},
        {"interface": "residual", "map": "none", "layer_loss": "relation", "output_loss": "kl"},
    ),
]

for control in CONTROLS:
    add_method(control.method())
