"""The identity of a model: one hash of all that its states and its answers depend on.

Two things are left out. Buffers that a model does not save are derived from its configuration, and some models change
them in use. An attribute that somebody changes by hand in a module after loading, such as the epsilon of a norm, is in
neither weights nor configuration.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from semalign.files import json_fingerprint
from semalign.models.loading import LanguageModel
from semalign.models.offload import whole_state
from semalign.models.tokenizer_identity import tokenizer_identity
from semalign.models.versions import PACKAGES, STATE_VERSION
from semalign.results.surroundings import package_version
from semalign.tensor_files import tensor_fingerprint

WRAPPERS = (BaseTunerLayer, AuxiliaryTrainingWrapper)
INSIDE = ("base_layer", "original_module")  # what they call the layer inside
# Names, paths, versions, and what cannot change a state; the types of the weights are hashed with the weights.
UNSEEN = {
    *("_name_or_path", "_commit_hash", "_attn_implementation", "_attn_implementation_internal"),
    *("architectures", "transformers_version", "dtype", "torch_dtype", "use_cache"),
    *("id2label", "label2id", "problem_type", "return_dict", "output_attentions", "output_hidden_states"),
    *("base_model_name_or_path", "revision", "inference_mode", "auto_mapping", "task_type", "peft_version"),
    "runtime_config",
}


def model_identity(model: LanguageModel) -> str:
    """Return a hash of a model: what it is, wherever it was loaded from and whatever it has been used for.

    It covers names, shapes, types and bytes of all parameters and saved buffers; the class and the configuration,
    without names, paths and versions; the adapters that are active, with their scale and whether they are merged or
    disabled; the tokenizer; and the tokens that end an answer. The versions of the libraries that compute are not
    among these: see :func:`computed_by`.
    """
    network = model.model
    base: Any = network.get_base_model() if isinstance(network, PeftModel) else network
    content = {
        "weights": tensor_fingerprint(_weights(network)),
        "class": type(base).__name__,
        "configuration": plain_settings(base.config.to_dict()),
        "adapters": _adapters(network),
        "tokenizer": tokenizer_identity(model.tokenizer),
        "ends": end_tokens(base.generation_config, model.tokenizer),
    }
    return json_fingerprint(content)


def computed_by(*models: PreTrainedModel | PeftModel, packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """Return what computes the states of models, for the keys of states, checkpoints and answers that are kept.

    Returns:
        The versions of ``packages``, :data:`semalign.models.versions.STATE_VERSION`, and the implementation of the
        models' attention.
    """
    attention = [getattr(model.config, "_attn_implementation", None) for model in models]
    return {"states": STATE_VERSION, "attention": attention, **{name: package_version(name) for name in packages}}


def end_tokens(settings: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase) -> list[int] | None:
    """Return the tokens that end an answer: those of the generation settings and of the tokenizer, None if none do."""
    own = getattr(settings, "eos_token_id", None)
    own = own if isinstance(own, list) else [own]
    return sorted({token for token in (*own, tokenizer.eos_token_id) if token is not None}) or None


def plain_settings(content: Any) -> Any:
    """Return a configuration for JSON: without ``UNSEEN`` and settings that are None, at any depth; sets in order.

    A setting that is None counts as absent, since a newer version of a library may know more of these.
    """
    if isinstance(content, Mapping):
        kept = {key: value for key, value in content.items() if key not in UNSEEN and value is not None}
        return {str(key): plain_settings(value) for key, value in kept.items()}
    if isinstance(content, set | frozenset):
        return sorted(map(str, content))
    if isinstance(content, list | tuple):
        return [plain_settings(value) for value in content]
    return content


def _adapters(network: nn.Module) -> list[Any]:
    """Return the settings of the adapters in use, and how each layer uses them."""
    layers = _wrapped(network)
    used = dict.fromkeys(adapter for layer in layers.values() for adapter in _held(layer))
    if isinstance(network, PeftModel):
        used |= dict.fromkeys(network.active_adapters)
    known = getattr(network, "peft_config", {})
    settings = [plain_settings(known[adapter].to_dict()) for adapter in used if adapter in known]
    return [settings, {_plain(name, network): _use(layer) for name, layer in layers.items() if _held(layer)}]


def _wrapped(network: nn.Module) -> dict[str, Any]:
    """Return the layers that PEFT has put around others, by name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, WRAPPERS)}


def _held(layer: Any) -> list[str]:
    """Return the adapters of a layer that are active or merged."""
    return [name for name in dict.fromkeys([*layer.active_adapters, *layer.merged_adapters]) if _has(layer, name)]


def _has(layer: Any, adapter: str) -> bool:
    return adapter in layer._get_available_adapters()


def _use(layer: Any) -> dict[str, Any]:
    """Return how a layer uses its adapters: which are active and merged, and their numbers, such as the scale."""
    held = _held(layer)
    tables = {name: getattr(layer, name, None) for name in getattr(layer, "other_param_names", ())}
    numbers = {
        name: [table[adapter] for adapter in held if isinstance(table.get(adapter), bool | int | float | str)]
        for name, table in tables.items()
        if isinstance(table, dict)
    }
    used = {what: [name in getattr(layer, f"{what}_adapters") for name in held] for what in ("active", "merged")}
    return {"disabled": layer.disable_adapters, **used, **numbers}


def _weights(network: PreTrainedModel | PeftModel) -> dict[str, Tensor]:
    """Return parameters and saved buffers by the names of the model inside, without adapters that are not in use.

    The place of an adapter among those of its layer stands for its name.
    """
    layers, adapters, weights = _wrapped(network), set(getattr(network, "peft_config", {})), {}
    for name, tensor in whole_state(network).items():
        owner, parts = _owner(name, layers)
        if owner and parts[0] in INSIDE:
            parts = parts[1:]
        elif owner and len(parts) > 1 and parts[1] in adapters:
            if parts[1] not in (held := _held(layers[owner])):
                continue
            parts[1] = str(held.index(parts[1]))
        weights[_plain(".".join([owner, *parts] if owner else parts), network)] = tensor
    return weights


def _owner(name: str, layers: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """Return the innermost of some layers that a weight belongs to, and the rest of its name."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if (owner := ".".join(parts[:end])) in layers:
            return owner, parts[end:]
    return None, parts


def _plain(name: str, network: nn.Module) -> str:
    return name.removeprefix("base_model.model.") if isinstance(network, PeftModel) else name
