"""Settings of one transfer: the paper's choices as defaults, and room for the variants that are studied beside them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semalign.models.architecture import Interface

AlignmentMap = Literal["semantic", "permuted", "random", "least_squares", "procrustes", "ridge", "learned", "none"]
OutputLoss = Literal["cosine", "centred_cosine", "cross_entropy", "kl", "reverse_kl"]


class MethodSettings(BaseModel):
    """What the settings of every method have; an unknown or impossible value is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0)


class TrainingSettings(MethodSettings):
    """What every method that trains a LoRA has besides; an unknown or impossible value is an error."""

    rank: int = Field(16, ge=1, description="LoRA rank r")
    lora_alpha: float = Field(16, gt=0, description="LoRA scale is lora_alpha / rank")
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    epochs: int = Field(5, ge=1)
    batch_size: int = Field(64, ge=1, description="examples for one optimiser step")
    micro_batch_size: int | None = Field(None, ge=1, description="examples in memory at once; None: batch_size")
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    warmup_ratio: float = Field(0.03, ge=0, lt=1, description="share of steps with rising learning rate")


class TransferSettings(TrainingSettings):
    """How one transfer is done; an unknown or impossible value is an error.

    The defaults, those of ``TrainingSettings`` included, are the paper's (Section 4, Appendix A.2) where it
    states them; the book's chapter "Decisions" gives the rest with alternatives.
    """

    interface: Interface = Field("mlp", description="where teacher and student states are compared")
    teacher_layer: int | None = Field(None, ge=1, description="critical teacher layer, 1-based; None: attribution")
    student_layer: int | None = Field(None, ge=1, description="student layer to train, 1-based; None: pairing")
    interpolate: bool = Field(False, description="mix adjacent teacher layers to the student's exact depth")
    attribution: Literal["absolute", "signed"] = Field("absolute", description="how attributions add up")
    attribution_examples: int = Field(32, ge=1, description="examples that attribution sees")
    fold_norm: bool = Field(False, description="fold the final norm's gain into the LM head before inverting it")
    map: AlignmentMap = Field("semantic", description="from the teacher's space to the student's")
    ridge_penalty: float = Field(1e-3, gt=0, description="of the fitted maps, as a share of the states' mean square")
    layer_loss: Literal["cosine", "mean_square", "relation"] = Field("cosine", description="layer term")
    layer_weight: float = Field(1.0, ge=0, description="weight of the layer loss")
    output_weight: float = Field(1.0, ge=0, description="weight of the output loss")
    output_loss: OutputLoss = Field("cosine", description="output term, to the labels or (KL) to the teacher")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    centre_targets: bool = Field(False, description="subtract the batch mean from states and targets first")
    positions: Literal["response", "all"] = Field("response", description="which positions are supervised")
    schedule: Literal["one_layer", "frontier"] = Field("one_layer", description="frontier: every layer in turn")

    @property
    def distils(self) -> bool:
        """Whether the output term compares with the teacher's logits, not with labels."""
        return self.output_loss in ("kl", "reverse_kl")

    @model_validator(mode="after")
    def _check_combination(self) -> "TransferSettings":
        if self.map == "none" and self.layer_loss != "relation":
            raise ValueError(
                "map 'none' leaves targets in the teacher's space: only layer_loss 'relation' can use them"
            )
        if self.schedule == "frontier" and (self.teacher_layer or self.student_layer):
            raise ValueError("the frontier schedule trains every student layer: leave out teacher_layer, student_layer")
        return self
