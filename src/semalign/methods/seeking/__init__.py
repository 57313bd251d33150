"""Seeking: blocks of the teacher's weights start a LoRA on all layers, which labels then train.

Three epochs, as in its code; the rate is the task's.
"""

from semalign.methods.registry import Method
from semalign.methods.seeking.method import SeekingSettings, seeking

METHOD = Method("seeking", "baseline", "zhong2024seeking", SeekingSettings, seeking, {"learning_rate": "learning_rate"})
