"""What a run record says of a training: steps, change of the weights, and measurements before and after."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

UNMOVED = 0.02  # a change below this share is small: of the weights' norm, and of the response NLL
Cosine = Annotated[FiniteFloat, Field(ge=-1.000001, le=1.000001)]
Nats = Annotated[FiniteFloat, Field(ge=0)]


class LayerCosine(BaseModel):
    """Mean cosine of the student's trained layers with their targets, at the supervised positions of held-out rows."""

    model_config = ConfigDict(extra="forbid")

    before: Cosine
    after: Cosine


class HeldOutNll(BaseModel):
    """Response NLL on held-out rows, in nats a token."""

    model_config = ConfigDict(extra="forbid")

    before: Nats
    after: Nats
    low: FiniteFloat | None = Field(description="lower end of the 95% interval of `before` over rows; None for one row")
    high: FiniteFloat | None = Field(description="its upper end")
    n: int = Field(ge=1, description="number of rows")
    split: str | None = Field(description="where they are from; None for rows of the user's own")
    row_nll: list[Nats] = Field(description="of each row, after")


class Training(BaseModel):
    """The keys of ``details`` that say what a training did. A record without a training, or an older one, has none."""

    steps: int | None = Field(None, ge=0, description="steps of the optimiser")
    weight_change: Annotated[FiniteFloat, Field(ge=0)] | None = Field(
        None, description="norm of the change of the changed weights over their own norm"
    )
    layer_cosine: LayerCosine | None = Field(None, description="None for a method without targets of layers")
    held_out: HeldOutNll | None = None

    @property
    def trained(self) -> bool | None:
        """Whether the training did anything; None if the record does not say.

        It did nothing if the response NLL on the held-out rows has changed by less than the share :data:`UNMOVED`, in
        either direction, and the weights by less than that share of their norm.
        """
        nll = self.held_out
        if nll is None or self.weight_change is None:
            return None
        return abs(nll.after - nll.before) >= UNMOVED * nll.before or self.weight_change >= UNMOVED

    def columns(self) -> dict[str, Any]:
        """Return the numbers as columns of a table: None where the record does not say."""
        cosine, nll = self.layer_cosine, self.held_out
        return {
            "steps": self.steps,
            "weight_change": self.weight_change,
            "layer_cosine_before": cosine and cosine.before,
            "layer_cosine_after": cosine and cosine.after,
            "nll_before": nll and nll.before,
            "nll_after": nll and nll.after,
            "trained": self.trained,
        }


NO_TRAINING = Training.model_validate({})


def training_of(record: Mapping[str, Any]) -> Training:
    """Return what a run record says of its training.

    >>> training_of({"details": {"steps": 80, "weight_change": 0.02}}).steps
    80
    """
    return Training.model_validate(record["details"])


def layers_of(details: Mapping[str, Any]) -> list[str]:
    """Return in words which teacher layers each trained student layer learned from; nothing for other methods."""
    pairs = details.get("pairs", [])
    if "student_layer" in details:
        pairs = [[details["teacher_layers"], details["student_layer"]]]
    return [
        f"teacher {' + '.join(f'{weight:g} x layer {layer}' for layer, weight in mixture)} -> student layer {k}"
        for mixture, k in pairs
    ]
