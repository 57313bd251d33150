"""SemAlign, the paper's method under the paper's settings."""

from semalign.methods.registry import Method
from semalign.methods.runner import transfer
from semalign.settings import TransferSettings

METHOD = Method("semalign", "method", "gu2025semalign", TransferSettings, transfer)
