"""Put a PEFT adapter from a folder on a model, after checking that it belongs there and is whole."""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import PeftType
from peft.utils.save_and_load import load_peft_weights
from torch import Tensor, nn

from semalign.data.time_limit import time_limit
from semalign.errors import one_line
from semalign.models.adapter_base import check_base
from semalign.models.finite import NotFiniteError
from semalign.models.integrity import listed, read_object
from semalign.models.loading import LanguageModel
from semalign.models.offload import dispatched_already, hold

# The settings that hold regular expressions, in the form in which PEFT matches them with names of modules.
WHOLE = ("target_modules", "exclude_modules")
PATTERNS = {
    **dict.fromkeys(WHOLE, r"(?:{})\Z"),
    **dict.fromkeys(("rank_pattern", "alpha_pattern"), r"(.*\.)?({})$"),
    "modules_to_save": r"(^|.*\.){}($|\..*)",
    "layers_pattern": r"(?:^|.*?\.){}\.(?P<idx>\d+)\.",
}
# Options of a LoRA that change more than W + s B A of some matrices.
FURTHER = "use_dora lora_bias modules_to_save trainable_token_indices target_parameters layer_replication".split()
# Initialisations of a LoRA with which PEFT takes a part of the base's weights into the adapter.
FROM_BASE = ("pissa", "corda", "olora", "loftq", "lora_ga")
PROMPTS = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT", "ADAPTION_PROMPT")


def put_adapter(model: LanguageModel, folder: Path) -> LanguageModel:
    """Return a model with an adapter on it, not merged; the model itself is changed.

    Args:
        model: the adapter's base model.
        folder: the adapter's folder.

    Raises:
        FileNotFoundError: if the folder holds no adapter.
        ValueError: for an adapter of extra prompt tokens, a damaged one, or one of another base: weights that match
            nothing, that are missing, or of another shape; NaN or infinity; a pattern of modules that does not end.
    """
    config = read_config(folder)
    check_base(model.model.config.name_or_path or "", folder, config, model)
    weights = adapter_weights(folder)
    check_patterns(model, folder, config)
    for module in _modules_of(weights, model.model):
        hold(module)  # PEFT would leave an adapter without values on a module whose weights are kept elsewhere
    with dispatched_already(model.model):
        adapted = _loaded(model, folder, weights)
    return LanguageModel(adapted.eval(), model.tokenizer)  # type: ignore[arg-type]


def read_config(folder: Path) -> dict[str, Any]:
    """Return an adapter's configuration; raises as :func:`put_adapter` does."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no PEFT adapter: `semalign transfer --out {folder}` writes one")
    config = read_object(path)
    kind = config.get("peft_type")
    if kind not in list(PeftType):
        raise ValueError(f"{path} names no kind of adapter that is known here: peft_type is {kind!r}")
    if kind in PROMPTS:
        raise ValueError(f"{folder} holds an adapter by {kind}, which works by extra prompts: use LoRA or its kin")
    return config


def adapter_weights(folder: Path) -> dict[str, Tensor]:
    """Return the weights of an adapter.

    Raises:
        ValueError: if they cannot be read, or one is NaN or infinity.
    """
    try:
        weights: dict[str, Tensor] = load_peft_weights(str(folder), device="cpu")
    except Exception as error:  # of safetensors, pickle, the file system or the hub
        raise ValueError(f"the weights of the adapter in {folder} cannot be read: {one_line(error)}") from error
    if damaged := [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]:
        raise NotFiniteError(f"the adapter in {folder} holds NaN or infinity in {listed(damaged)}: make it again")
    return weights


def check_patterns(model: LanguageModel, folder: Path, config: Mapping[str, Any]) -> None:
    """Make sure that the patterns of an adapter's settings can be matched with the names of a model's modules.

    Raises:
        ValueError: for a pattern that is none, or whose match does not end.
    """
    names = [name for name, _ in model.model.named_modules()]
    for setting, form in PATTERNS.items():
        with time_limit(f"the match of {setting} in {folder / 'adapter_config.json'}"):
            for pattern in _patterns(setting, config.get(setting)):
                try:
                    expression = re.compile(form.format(pattern))
                except re.error as error:
                    raise ValueError(f"{folder}: {setting} holds {pattern!r}, which is no pattern: {error}") from error
                for name in names:
                    expression.match(name)


def _patterns(setting: str, value: Any) -> list[str]:
    """Return the patterns in the value of a setting: itself, or the entries or keys."""
    if isinstance(value, str):
        return [value]
    # A list of modules holds their names; values of another kind are errors, which PEFT finds.
    return list(value) if isinstance(value, list | dict) and setting not in WHOLE else []


def _modules_of(weights: Iterable[str], model: nn.Module) -> list[nn.Module]:
    """Return the modules of a model that the weights of an adapter belong to, as their names say."""
    modules, found = dict(model.named_modules()), {}
    for name in weights:
        path = name.removeprefix("base_model.model.")
        while path and path not in modules:
            path = path.rpartition(".")[0]
        if path:
            found[path] = modules[path]
    return list(found.values())


def changes_base(initialisation: object) -> bool:
    """Return whether an adapter with this ``init_lora_weights`` is one of a base whose weights PEFT has changed."""
    return str(initialisation).lower().startswith(FROM_BASE)


def shared_targets(model: nn.Module) -> list[str]:
    """Return the adapted modules whose base weight another module uses too, such as a head that is tied to embeddings.

    An adapter changes one of the two; merged into the weight, it would change both.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    users = Counter(_place(p) for module in modules.values() for p in module.parameters(recurse=False))
    adapted = {name: module for name, module in modules.items() if isinstance(module, BaseTunerLayer)}
    shared = {
        name: [p for p in module.get_base_layer().parameters(recurse=False) if users[_place(p)] > 1]
        for name, module in adapted.items()
    }
    return [name.removeprefix("base_model.model.") for name, weights in shared.items() if weights]


def _place(parameter: Tensor) -> tuple[torch.device, int]:
    return parameter.device, parameter.data_ptr() or id(parameter)  # without values there is no address


def _loaded(model: LanguageModel, folder: Path, weights: Mapping[str, Tensor]) -> PeftModel:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # an error below
            adapted = PeftModel.from_pretrained(model.model, str(folder))
    except MemoryError:
        raise
    except Exception as error:  # PEFT raises anything for an adapter that does not fit
        sizes = [line for line in str(error).splitlines() if "size mismatch" in line]
        reason = f"{sizes[0].strip()} ({len(sizes)} in all)" if sizes else one_line(error)
        raise ValueError(f"the adapter in {folder} does not fit {model.name}: {reason}") from error
    # Whether embeddings belong to an adapter, PEFT would ask the hub: those that it holds are part of the model.
    expected = get_peft_model_state_dict(adapted, save_embedding_layers=False).keys()
    if missing := sorted(expected - weights.keys()):
        raise ValueError(
            f"the adapter in {folder} lacks {len(missing)} of the {len(expected)} weights that it needs on "
            f"{model.name}: {listed(missing)}: it is damaged, or made for another model"
        )
    if unused := sorted(weights.keys() - expected - adapted.state_dict().keys()):
        raise ValueError(
            f"the adapter in {folder} has {len(unused)} weights that match nothing in {model.name}: {listed(unused)}: "
            "it was made for another model"
        )
    return adapted
