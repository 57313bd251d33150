"""LaTen: a hypernetwork turns weights of teacher neurons into changes of the student's, injected once.

Sizes, steps and rate of the alignment are the task's (Table 4).
"""

from semalign.methods.laten.method import laten
from semalign.methods.laten.settings import LatenSettings
from semalign.methods.registry import Method

OF_TASK = {"align_size": "align_size", "steps": "align_steps", "learning_rate": "align_learning_rate"}
METHOD = Method("laten", "baseline", "tan2025laten", LatenSettings, laten, OF_TASK)
