"""LoRA on some layers of a student (Appendix A.2)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel

from semalign.models.architecture import Architecture
from semalign.models.loading import shared_copy
from semalign.models.offload import hold
from semalign.models.random_state import same_random_state
from semalign.settings import TrainingSettings


def add_lora(
    student: PreTrainedModel, layers: Sequence[int], settings: TrainingSettings, *, all_matrices: bool = False
) -> PeftModel:
    """Return the student with LoRA on the up, down, value and output matrices of some layers (Appendix A.2).

    The student itself is not changed: the result shares its weights and owns only the adapter.

    Args:
        student: a causal language model.
        layers: 1-based numbers of the layers to adapt; everything else is frozen.
        settings: rank, scale, dropout and seed of the adapter.
        all_matrices: whether to adapt all linear matrices of these layers instead.

    Raises:
        ValueError: see :func:`check_rank`.
    """
    check_rank(Architecture(student), settings)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]  # any number will do
        lora_dropout=settings.lora_dropout,
        target_modules=Architecture(student).lora_targets(layers, all_matrices),
        task_type="CAUSAL_LM",
    )
    copy = shared_copy(student)
    for k in layers:
        hold(Architecture(copy).layer(k))  # the adapter goes where the weights are
    with same_random_state():
        torch.manual_seed(settings.seed)
        return get_peft_model(copy, config)


def check_rank(student: Architecture, settings: TrainingSettings) -> None:
    """Raise ``ValueError`` if the rank is above both sides of every matrix of the student: its LoRA would be larger."""
    matrices = (student.model.get_submodule(name) for name in student.lora_targets([1], all_matrices=True))
    largest = max(max(matrix.get_parameter("weight").shape) for matrix in matrices)
    if settings.rank > largest:
        raise ValueError(f"rank {settings.rank} is above {largest}, the largest side of a student's matrix: lower it")


class Factors(NamedTuple):
    """The change ``left @ right`` of a weight matrix."""

    left: Float[Tensor, "n rank"]
    right: Float[Tensor, "rank m"]

    def plus(self, other: "Factors") -> "Factors":
        """Return the factors of the sum of two changes."""
        return Factors(torch.cat([self.left, other.left], dim=1), torch.cat([self.right, other.right]))


def plain_lora(student: PreTrainedModel, changes: Mapping[str, Factors]) -> PeftModel:
    """Return a student with the given weight changes as LoRA of scale 1, which PEFT saves and loads as usual.

    Args:
        student: the unmodified student, whose weights are shared.
        changes: the change of each matrix by its full name; the ranks may differ.
    """
    # The scale of a LoRA is alpha / rank. Equal patterns for both keep it at 1 for every rank.
    ranks = {name: factors.right.shape[0] for name, factors in changes.items()}
    lowest = min(ranks.values())
    config = LoraConfig(
        r=lowest,
        lora_alpha=lowest,
        rank_pattern={name: rank for name, rank in ranks.items() if rank != lowest},
        alpha_pattern={name: rank for name, rank in ranks.items() if rank != lowest},
        target_modules=list(ranks),
        task_type="CAUSAL_LM",
    )
    copy = shared_copy(student)
    for name in ranks:
        hold(copy.get_submodule(name))
    with same_random_state():
        plain = get_peft_model(copy, config)
    with torch.no_grad():
        for name, factors in changes.items():
            lora = plain.get_base_model().get_submodule(name)
            lora.get_parameter("lora_B.default.weight").copy_(factors.left)
            lora.get_parameter("lora_A.default.weight").copy_(factors.right)
    return plain.eval()


def train_only(student: Architecture, layers: Sequence[int]) -> None:
    """Make the adapters of the given layers trainable and freeze those of all other layers."""
    for k, layer in enumerate(student.layers, start=1):
        for name, parameter in layer.named_parameters():
            if "lora_" in name:
                parameter.requires_grad_(k in layers)
