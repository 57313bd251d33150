"""Controls: SemAlign with other settings, each of which removes or replaces one part.

A control is an element of the list below: its name, the key of its source in the bibliography, a description, and the
settings that differ. Settings in ``fixed`` define the control and cannot be changed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from semalign.methods.declared.semalign import ADAPT, CHECK
from semalign.methods.fixed_settings import variant
from semalign.methods.registry import Method, add_method


class Control(NamedTuple):
    """One control: its fixed settings, and defaults that differ from the paper's."""

    name: str
    citation: str
    description: str
    fixed: Mapping[str, Any]
    defaults: Mapping[str, Any] = {}

    def method(self) -> Method:
        """Return the method: SemAlign with these settings."""
        class_name = f"{self.name.title().replace('-', '')}Settings"
        settings = variant(class_name, {**self.fixed, **self.defaults}, self.fixed.keys())
        return Method(self.name, "control", self.citation, self.description, settings, ADAPT, check=CHECK)


CONTROLS = [
    # Parts of the objective removed.
    Control(
        "output-cosine",
        "gu2025semalign",
        "The output cosine alone: labels without a teacher, that is, SemAlign without its alignment.",
        {"layer_weight": 0.0, "output_loss": "cosine"},
    ),
    Control(
        "layer-cosine",
        "gu2025semalign",
        "The layer cosine alone: the teacher's aligned states without labels.",
        {"output_weight": 0.0, "layer_loss": "cosine"},
    ),
    Control(
        "cross-entropy",
        "hu2022lora",
        "Cross-entropy on the paired layer alone: the same trained parameters, with labels and without a teacher.",
        {"layer_weight": 0.0, "output_loss": "cross_entropy"},
    ),
    # The teacher's logits replace its states.
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
        "Logit distillation into the paired layer: reverse KL on the responses of the data (Gu et al. 2024, MiniLLM).",
        {"layer_weight": 0.0, "output_loss": "reverse_kl"},
    ),
    # Other maps between the two spaces.
    Control(
        "permuted-atoms",
        "gu2025semalign",
        "SemAlign with permuted atoms: the same bases, but each token has another token's vector in the student.",
        {"map": "permuted"},
    ),
    Control(
        "random-bases",
        "gu2025semalign",
        "SemAlign with random bases: independent Gaussian vectors in both models for each token.",
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
        "SemAlign with an orthogonal Procrustes map, fitted on the states of the training rows at the paired layers.",
        {"map": "procrustes"},
    ),
    Control(
        "ridge",
        "gu2025semalign",
        "SemAlign with a ridge-regression map, fitted on the states of the training rows at the paired layers.",
        {"map": "ridge"},
    ),
    # TED first trains its filters with both models frozen. For a linear filter, this stage has a closed form, which is
    # the initial projection here. The setting layer_loss can replace TED's mean square by DistillKit's cosine.
    Control(
        "layer-distillation",
        "liang2023ted",
        "Layer-wise distillation with a linear projection, which is trained with the adapter and discarded "
        "(TED; DistillKit).",
        {"map": "learned"},
        {"layer_loss": "mean_square", "output_loss": "cross_entropy"},
    ),
    # Relations need no map between the spaces. Whether the paper's second version aligns the spaces first is not
    # known, so the map can be changed. The weights of the terms and the division of steps are choices of this project.
    Control(
        "frontier",
        "gu2025semalign",
        "The paper's second version, as its abstract describes it: each layer in turn, from shallow to deep, matches "
        "the token-token relations of its one teacher layer's residual contribution, with a KL term to the teacher's "
        "logits.",
        {"schedule": "frontier"},
        {"interface": "residual", "map": "none", "layer_loss": "relation", "output_loss": "kl"},
    ),
]

for control in CONTROLS:
    add_method(control.method())
