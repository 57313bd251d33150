"""SemAlign, the paper's method with the paper's settings."""

from semalign.methods.registry import Method, add_method
from semalign.settings import TransferSettings

ADAPT, CHECK = "semalign.methods.semalign:align_and_steer", "semalign.methods.semalign:check_inputs"

add_method(
    Method(
        "semalign",
        "method",
        "gu2025semalign",
        "SemAlign, the paper's method with the paper's settings.",
        TransferSettings,
        ADAPT,
        check=CHECK,
    )
)
