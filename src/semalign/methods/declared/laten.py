"""LaTen: see :mod:`semalign.methods.laten.method`."""

from semalign.methods.laten.settings import LatenSettings
from semalign.methods.registry import Method, add_method

add_method(
    Method(
        "laten",
        "baseline",
        "tan2025laten",
        "LaTen: a hypernetwork maps weights of teacher neurons to changes of student neurons, which are injected once.",
        LatenSettings,
        "semalign.methods.laten.method:adapt",
        # The task sets the number of rows, the steps and the learning rate of the alignment (Table 4).
        {"align_size": "align_size", "steps": "align_steps", "learning_rate": "align_learning_rate"},
        "semalign.methods.laten.method:check_inputs",
    )
)
