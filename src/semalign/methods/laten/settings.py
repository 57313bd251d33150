"""Settings of LaTen."""

from pydantic import Field

from semalign.settings import MethodSettings


class LatenSettings(MethodSettings):
    """Settings of a LaTen transfer; an unknown or invalid value is an error.

    The defaults are the values of Table 4 for GSM8K: 64 alignment examples, 16 a step. Table 4 gives 32 examples for
    MMLU, 48 for HumanEval and 128 for MBPP. Its learning rate of 3e-5 is the default here, although the text of
    Appendix A.2 says 1e-5. Batch size, weight decay and share of neurons follow that text, all other defaults the
    published code.
    """

    extract_size: int = Field(20, ge=1, description="number of first rows, on which neurons are located")
    align_size: int = Field(64, ge=1, description="number of next rows, on which the hypernetwork is trained")
    batch_size: int = Field(16, ge=1, description="P, examples for one optimiser step")
    micro_batch_size: int | None = Field(None, ge=1, description="examples in memory at once; None: batch_size")
    steps: int | None = Field(None, ge=1, description="optimiser steps; None: one pass through the alignment rows")
    neuron_share: float = Field(0.1, gt=0, le=1, description="share of the student's neurons that change in each layer")
    learning_rate: float = Field(3e-5, gt=0, description="peak of the one-cycle schedule")
    weight_decay: float = Field(0.05, ge=0, description="weight decay of AdamW")
    penalty_weight: float = Field(1000.0, ge=0, description="weight of the mean square of the changes")
    initial_std: float = Field(1e-5, gt=0, description="standard deviation of the hypernetwork's initial weights")
