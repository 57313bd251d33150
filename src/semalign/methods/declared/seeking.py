"""Seeking: see :mod:`semalign.methods.seeking.method`."""

from semalign.methods.registry import Method, add_method
from semalign.methods.seeking.settings import SeekingSettings

add_method(
    Method(
        "seeking",
        "baseline",
        "zhong2024seeking",
        "Seeking: blocks of the teacher's weights initialise a LoRA on all layers, which is then trained on labels.",
        SeekingSettings,
        "semalign.methods.seeking.method:adapt",
        {"learning_rate": "learning_rate"},  # three epochs, as in its code
        "semalign.methods.seeking.method:check_inputs",
    )
)
