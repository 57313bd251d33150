"""Settings of Seeking."""

from typing import Literal

from pydantic import Field

from semalign.settings import TrainingSettings

BlockChoice = Literal["window", "rows_columns"]
Injection = Literal["code", "appendix"]


class SeekingSettings(TrainingSettings):
    """Settings of Seeking with the defaults of its code; an unknown or invalid value is an error."""

    seed_examples: int = Field(32, ge=1, description="first rows, on which the teacher's sensitivities are measured")
    block: BlockChoice = Field("window", description="window, or the rows and columns with the largest sums")
    injection: Injection = Field("code", description="code: W - BA + BA; appendix: W - W_extract + BA")
    epochs: int = Field(3, ge=1, description="passes through the training rows")
    lora_dropout: float = Field(0.05, ge=0, lt=1, description="dropout in front of the LoRA matrices")
