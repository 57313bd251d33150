"""Settings of the methods: the paper's choices as defaults, and the alternatives that the book studies.

This module imports neither torch nor transformers. A setting that names an object of a registry is checked when
settings are created, not when this module is imported, and only if it is given.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from semalign.errors import problems
from semalign.registry import Registered, fact, lookup, names
from semalign.truth_values import check_numbers

MAPS = "semalign.targets.maps:MAPS"
LAYER_LOSSES = "semalign.training.layer_losses:LAYER_LOSSES"
OUTPUT_TERMS = "semalign.training.output_terms:OUTPUT_TERMS"
SCHEDULES = "semalign.training.schedules:SCHEDULES"

Interface = Literal["attention", "mlp", "residual", "layer"]
InterfaceOrHeads = Literal[Interface, "heads"]
Aggregation = Literal["absolute", "signed"]
AttributionMethod = Literal["gradient_x_activation", "integrated_gradients", "ablation"]
Layer = Annotated[int, Field(ge=1)]

MEMORY = frozenset({"micro_batch_size", "activation_checkpointing"})
"""The settings that change memory and time but no result, apart from rounding and from the numbers that dropout draws.
They mean the same in every method that has them, and are in no identity: a checkpoint or a record that was made with
others may be used."""


class MethodSettings(BaseModel):
    """Settings that every method has; an unknown or invalid value is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    seed: int = Field(0, ge=0, lt=2**32, description="seed of all random numbers")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ValueError(problems(error, type(self).model_fields, "setting")) from None

    @field_validator("*", mode="before")
    @classmethod
    def _check_truth(cls, value: Any, info: Any) -> Any:
        check_numbers(cls.model_fields[str(info.field_name)].annotation, value)
        return value

    def objective(self, terms: Mapping[str, Any]) -> Any:
        """Return the value of the objective from its terms, each with its weight."""
        return sum(terms.values())


class TrainingSettings(MethodSettings):
    """Settings that every method that trains a LoRA has; an unknown or invalid value is an error."""

    rank: int = Field(16, ge=1, description="LoRA rank r")
    lora_alpha: float = Field(16, gt=0, description="the LoRA scale is lora_alpha / rank")
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="dropout in front of the LoRA matrices")
    epochs: int = Field(5, ge=1, description="passes through the training rows")
    batch_size: int = Field(64, ge=1, description="rows in one optimiser step")
    micro_batch_size: int | None = Field(
        None, ge=1, description="rows in memory at once, which does not change results; None: batch_size"
    )
    activation_checkpointing: bool = Field(
        False, description="compute activations again in the backward pass: less memory, more time, the same results"
    )
    learning_rate: float = Field(3e-4, gt=0, description="peak learning rate, after warm-up and before linear decay")
    weight_decay: float = Field(0.0, ge=0, description="weight decay of AdamW")
    warmup_ratio: float = Field(0.03, ge=0, lt=1, description="share of steps in which the learning rate rises")
    train_size: int | None = Field(None, ge=1, description="number of rows to train on, from the first; None: all")
    responses: Literal["given", "teacher"] = Field(
        "given",
        description="responses to train on: those of the rows, or the teacher's greedy answers",
    )


class TransferSettings(TrainingSettings):
    """Settings of one transfer; an unknown or invalid value is an error.

    The defaults, including those of ``TrainingSettings``, are the paper's (Section 4, Appendix A.2) where it states
    them. The book's chapter "Decisions" explains the others and their alternatives.
    """

    interface: InterfaceOrHeads = Field(
        "mlp", description="where teacher and student states are compared, heads: head by head, what each of them adds"
    )
    teacher_layer: int | None = Field(None, ge=1, description="critical teacher layer, 1-based; None: attribution")
    student_layer: int | None = Field(None, ge=1, description="student layer to train, 1-based; None: pairing")
    student_layers: tuple[Layer, ...] | None = Field(
        None, min_length=1, description="several student layers to train together, each with its own teacher layer"
    )
    layer_map: dict[Layer, Layer] | None = Field(
        None, description="teacher layer by student layer, where it differs from the paper's pairing"
    )
    interpolate: bool = Field(
        False, description="mix two adjacent teacher layers at the student's exact depth, in place of a single one"
    )
    attribution: Aggregation = Field("absolute", description="whether to sum magnitudes or signed values")
    attribution_method: AttributionMethod = Field(
        "gradient_x_activation", description="how the log-likelihood is attributed to layers"
    )
    attribution_interface: InterfaceOrHeads | None = Field(
        None, description="where layers are attributed, heads: the best attention head of each; None: the interface"
    )
    attribution_examples: int = Field(32, ge=1, description="number of rows for attribution")
    fold_norm: bool = Field(False, description="fold the final norm's gain into the LM head before inverting it")
    map: Annotated[str, Registered(MAPS)] = Field(
        "semantic", description="map of teacher states into the student's space"
    )
    top_atoms: int | None = Field(
        None, ge=1, description="atoms, those most like a state, that its target is made of; None: all"
    )
    temperature: float | None = Field(
        None, gt=0, description="temperature of the softmax over a state's cosines with the atoms; None: the cosines"
    )
    atoms: Literal["all", "data", "random"] = Field(
        "all", description="which shared tokens are atoms: all, those of the training rows, or as many random ones"
    )
    ridge_penalty: float = Field(1e-3, gt=0, description="ridge penalty, relative to the states' mean square")
    layer_loss: Annotated[str, Registered(LAYER_LOSSES)] = Field(
        "cosine", description="layer term, which compares states with their targets"
    )
    layer_weight: float = Field(1.0, ge=0, description="weight of the layer term")
    output_weight: float = Field(1.0, ge=0, description="weight of the output term")
    output_loss: Annotated[str, Registered(OUTPUT_TERMS)] = Field(
        "cosine", description="output term, which compares logits with the labels or, by KL, with the teacher's logits"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="label mass that is spread evenly over the vocabulary")
    centre_targets: bool = Field(False, description="whether to subtract the batch means from states and targets first")
    positions: Literal["response", "all"] = Field("response", description="which positions are supervised")
    schedule: Annotated[str, Registered(SCHEDULES)] = Field(
        "one_layer", description="one_layer: all paired layers at once, in the paper one; frontier: every layer in turn"
    )

    def objective(self, terms: Mapping[str, Any]) -> Any:
        """Return the value of the objective from its terms, each with its weight."""
        return self.layer_weight * terms["layer"] + self.output_weight * terms["output"]

    @model_validator(mode="after")
    def _check_map(self) -> "TransferSettings":
        if self._spaces_differ() and not fact(LAYER_LOSSES, self.layer_loss, "any_space", False):
            losses = lookup(LAYER_LOSSES)
            raise ValueError(
                f"map {self.map!r} leaves targets in the teacher's space: only layer_loss "
                f"{', '.join(repr(name) for name in losses if losses[name].any_space)} can use them"
            )
        of_atoms = {"top_atoms": self.top_atoms, "temperature": self.temperature, "atoms": self.atoms != "all"}
        if (given := [name for name, value in of_atoms.items() if value]) and not _from_atom_to_atom(self.map):
            maps = " and ".join(filter(_from_atom_to_atom, names(MAPS)))
            raise ValueError(f"{given[0]} is for the maps {maps}: leave it out with {self.map}")
        fitted = fact(MAPS, self.map, "needs", "states") == "states"
        if self.ridge_penalty != type(self).model_fields["ridge_penalty"].default and not fitted:
            raise ValueError(f"ridge_penalty is for maps that are fitted on states: leave it out with {self.map}")
        return self

    @model_validator(mode="after")
    def _check_terms(self) -> "TransferSettings":
        if self.label_smoothing and fact(OUTPUT_TERMS, self.output_loss, "needs_teacher", False):
            raise ValueError(f"label_smoothing is for terms on labels: leave it out with {self.output_loss}")
        return self

    @model_validator(mode="after")
    def _check_layers(self) -> "TransferSettings":
        both = self.teacher_layer and self.student_layer
        if self.layer_map and both:
            raise ValueError("teacher_layer and student_layer are a pair already: leave out layer_map")
        if self.interpolate and self.layer_map:
            raise ValueError("interpolate takes the teacher layers at the student's depth: leave out layer_map")
        if self.interpolate and both:
            raise ValueError("interpolate takes the teacher layers at student_layer's depth: leave out teacher_layer")
        layers = [self.teacher_layer, self.student_layer, self.student_layers]
        if any(layers) and fact(SCHEDULES, self.schedule, "every_layer", False):
            raise ValueError(
                f"the schedule {self.schedule!r} trains every student layer: leave out teacher_layer, student_layer "
                "and student_layers"
            )
        if self.student_layers and (self.teacher_layer or self.student_layer):
            raise ValueError(
                "the layer map gives the teacher layers of student_layers: leave out teacher_layer and student_layer, "
                "or give layer_map"
            )
        return self

    def _spaces_differ(self) -> bool:
        """Return whether the map leaves states and targets in different spaces."""
        return fact(MAPS, self.map, "into", "student") == "teacher" and fact(MAPS, self.map, "needs") == "nothing"


def _from_atom_to_atom(name: str) -> bool:
    """Return whether a map is a sum over atoms, so that these and their coefficients can be chosen."""
    return fact(MAPS, name, "atoms") in ("paired", "permuted")


def deciding(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of some settings that decide what comes out: all but :data:`MEMORY`."""
    return {key: value for key, value in configuration.items() if key not in MEMORY}
