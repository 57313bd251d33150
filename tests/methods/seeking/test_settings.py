"""The defaults of Seeking, which are those of its code."""

import pytest

from semalign.methods.seeking.settings import SeekingSettings


def test_settings_are_typed():
    assert SeekingSettings().model_dump().items() >= {
        "seed_examples": 32, "rank": 16, "lora_alpha": 16, "lora_dropout": 0.05, "epochs": 3, "batch_size": 64,
        "learning_rate": 3e-4, "warmup_ratio": 0.03, "block": "window", "injection": "code",
    }.items()  # fmt: skip
    with pytest.raises(ValueError, match="seed_examples"):
        SeekingSettings(seed_examples=0)
