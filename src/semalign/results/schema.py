"""What a run record must contain, and the values that its numbers can have."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from semalign.results.training import Training

SCORE, COSINE, SHARE = (0.0, 100.0), (-1.0, 1.0), (0.0, 1.0)
RANGES = {  # by the first letters of the metric
    **dict.fromkeys(("acc", "exact_match", "pass@"), SCORE),
    **dict.fromkeys(("response_nll", "seconds"), (0.0, math.inf)),
    "resultant_cosine": COSINE,
    "share ": SHARE,
}
ROUNDING = 1e-6


class RunRecord(BaseModel):
    """The keys of a run record; a missing or unknown key is an error, and so is a number that cannot be."""

    model_config = ConfigDict(extra="forbid")

    method: str
    teacher: str | None = Field(description="None for a run without a teacher")
    student: str
    task: str
    seed: int | None
    metric: str
    value: FiniteFloat | None = Field(description="None if the run gave no number")
    n: int = Field(ge=0, description="number of items that the value is computed from")
    interval: tuple[float, float] | None = Field(description="95% interval of the value, low and high")
    configuration: dict[str, Any] = Field(description="resolved settings, including all defaults")
    fingerprints: dict[str, str | None] = Field(description="hashes of teacher, student and data")
    versions: dict[str, str]
    commit: str | None
    device: str
    seconds: FiniteFloat = Field(ge=0)
    peak_memory_bytes: int = Field(ge=0)
    losses: list[Any] = Field(description="training losses in the order of the steps")
    details: dict[str, Any]
    command: str
    created: str = Field(description="ISO time, UTC")
    status: Literal["done"]

    @field_validator("details")
    @classmethod
    def _check_training(cls, details: dict[str, Any]) -> dict[str, Any]:
        Training.model_validate(details)
        return details

    @model_validator(mode="after")
    def _check_numbers(self) -> "RunRecord":
        """Check the value against its metric, its interval, its number of items and the flags of the items."""
        if self.value is None:
            return self
        if self.n < 1:
            raise ValueError(f"a value of {self.value:g} from {self.n} items")
        metric = next((ends for start, ends in RANGES.items() if self.metric.startswith(start)), None)
        self._check_range("its interval", self.interval, self.value)
        self._check_range("the range of the metric", metric, self.value, *(self.interval or ()))
        self._check_items(self.details.get("correct"), self.value)
        return self

    @staticmethod
    def _check_range(name: str, ends: tuple[float, float] | None, *values: float) -> None:
        for value in values:
            if ends is not None and not ends[0] - ROUNDING <= value <= ends[1] + ROUNDING:
                raise ValueError(f"a value of {value:g} is outside {name}, {ends[0]:g} to {ends[1]:g}")

    def _check_items(self, correct: Any, value: float) -> None:
        """Check that a score is the mean over its items, whose flags are digits or shares."""
        if correct is None or self.metric not in (self.details.get("scores") or ()):
            return
        try:
            mean = 100 * sum(map(float, correct)) / len(correct)
        except (TypeError, ValueError, ZeroDivisionError):
            raise ValueError("details.correct holds no flag for each item") from None
        if len(correct) != self.n or abs(mean - value) > ROUNDING:
            raise ValueError(
                f"a value of {value:g} from {self.n} items; details.correct gives {mean:g} from {len(correct)}"
            )
