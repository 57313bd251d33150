"""Move knowledge from a large language model to a smaller one by latent semantic alignment (SemAlign)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semalign import losses, pairing
    from semalign.alignment import alignment_map, decompose, recompose, shared_atoms
    from semalign.attribution import attribute_layers
    from semalign.basis import SemanticBasis
    from semalign.models import LanguageModel, load_model
    from semalign.pipeline import TransferResult, transfer
    from semalign.settings import TransferSettings

__all__ = [
    "LanguageModel",
    "SemanticBasis",
    "TransferResult",
    "TransferSettings",
    "alignment_map",
    "attribute_layers",
    "decompose",
    "load_model",
    "losses",
    "pairing",
    "recompose",
    "shared_atoms",
    "transfer",
]

# transformers and peft take seconds to import: a name brings in its module when it is first used, not before.
_MODULE_OF = {
    "LanguageModel": "models",
    "SemanticBasis": "basis",
    "TransferResult": "pipeline",
    "TransferSettings": "settings",
    "alignment_map": "alignment",
    "attribute_layers": "attribution",
    "decompose": "alignment",
    "load_model": "models",
    "recompose": "alignment",
    "shared_atoms": "alignment",
    "transfer": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'semalign' has no attribute {name!r}")
    module = import_module(f"semalign.{_MODULE_OF.get(name, name)}")
    value = getattr(module, name) if name in _MODULE_OF else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
