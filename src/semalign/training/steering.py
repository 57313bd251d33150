"""Steering (Section 4.3): train one student layer through LoRA, everything else frozen."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from semalign.models.architecture import Architecture
from semalign.models.loading import shared_copy
from semalign.settings import TrainingSettings, TransferSettings
from semalign.targets.supervision import Supervision
from semalign.training.loop import Training, slices
from semalign.training.terms import Objective


def add_lora(
    student: PreTrainedModel, layers: Sequence[int], settings: TrainingSettings, *, all_matrices: bool = False
) -> PeftModel:
    """Return the student with LoRA on the up, down, value and output matrices of some layers (Appendix A.2).

    The student itself stays as it is: the copy shares its weights and owns only the adapter.

    Args:
        student: a causal language model.
        layers: 1-based numbers of the layers to adapt; everything else is frozen.
        settings: rank, scale, dropout and seed of the adapter.
        all_matrices: adapt all linear matrices of these layers.
    """
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]  # any number will do
        lora_dropout=settings.lora_dropout,
        target_modules=Architecture(student).lora_targets(layers, all_matrices),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        return get_peft_model(shared_copy(student), config)


class Steering(Training):
    """Training of one layer by both terms of the objective.

    Args:
        objective: what to minimise.
        supervision: what to train on.
        settings: epochs, batch size, learning rate and so on.
        checkpoint: file for the state after each epoch, or None to keep none.
        identity: what the run depends on; a checkpoint of another identity is not resumed.
    """

    settings: TransferSettings

    def __init__(
        self,
        objective: Objective,
        supervision: Supervision,
        settings: TransferSettings,
        checkpoint: Path | None = None,
        identity: str = "",
    ) -> None:
        super().__init__(objective, len(supervision.examples), settings, checkpoint, identity)
        self.objective, self.supervision = objective, supervision

    def backward(self, indices: Sequence[int]) -> dict[str, float]:
        """Add the gradient of the weighted terms on some examples; return the two terms."""
        labelled, matched = self.supervision.counts(indices)
        sums = {"layer": 0.0, "output": 0.0}
        if self.settings.micro_batch_size:  # examples of like length share a part, which saves padding
            indices = sorted(indices, key=lambda i: len(self.supervision.examples[i]))
        for part in slices(indices, self.settings.micro_batch_size or self.settings.batch_size):
            counts = self.supervision.counts(part)
            terms = self.objective(self.supervision.batch(part))
            # Averages over the whole batch, whatever the size of its parts.
            layer, output = terms.layer * counts[1] / max(matched, 1), terms.output * counts[0] / labelled
            if self.settings.distils:  # the teacher speaks at matched positions only
                output = terms.output * counts[1] / max(matched, 1)
            (self.settings.layer_weight * layer + self.settings.output_weight * output).backward()
            sums["layer"] += layer.item()
            sums["output"] += output.item()
        return sums
