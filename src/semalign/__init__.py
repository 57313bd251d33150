"""Transfer knowledge from a large language model to a smaller one by latent semantic alignment (SemAlign)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semalign.bases.basis import SemanticBasis
    from semalign.methods.runner import TransferResult, run_method
    from semalign.methods.semalign import transfer
    from semalign.models.loading import LanguageModel, load_model
    from semalign.registry import include
    from semalign.settings import TransferSettings
    from semalign.targets import pairing
    from semalign.targets.alignment import alignment_map, decompose, recompose, shared_atoms
    from semalign.targets.attribution import attribute_layers
    from semalign.training import losses

__all__ = [
    "LanguageModel",
    "SemanticBasis",
    "TransferResult",
    "TransferSettings",
    "alignment_map",
    "attribute_layers",
    "decompose",
    "include",
    "load_model",
    "losses",
    "pairing",
    "recompose",
    "run_method",
    "shared_atoms",
    "transfer",
]

# torch, transformers and peft take seconds to import, so each name imports its module when it is first used.
_MODULE_OF = {
    "LanguageModel": "models.loading",
    "SemanticBasis": "bases.basis",
    "TransferResult": "methods.runner",
    "TransferSettings": "settings",
    "alignment_map": "targets.alignment",
    "attribute_layers": "targets.attribution",
    "decompose": "targets.alignment",
    "include": "registry",
    "load_model": "models.loading",
    "losses": "training.losses",
    "pairing": "targets.pairing",
    "recompose": "targets.alignment",
    "run_method": "methods.runner",
    "shared_atoms": "targets.vocabularies",
    "transfer": "methods.semalign",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'semalign' has no attribute {name!r}")
    module = import_module(f"semalign.{_MODULE_OF[name]}")
    value = getattr(module, name, module)  # losses and pairing are modules themselves
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
