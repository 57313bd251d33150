"""The base model of an adapter: which one it was trained on, and whether a given model is that one.

An adapter names its base, and a record beside it has the identity of this base as it was trained on. A model that was
changed in memory still has the name of the files that it was loaded from, and an adapter must not name these.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from semalign.files import file_sha256
from semalign.models.identity import plain_settings
from semalign.models.integrity import has_weights, weight_files
from semalign.models.loading import LanguageModel, shared_copy
from semalign.models.located import cached_folder, locate
from semalign.models.offload import whole_state
from semalign.models.precision import types_of
from semalign.models.pretrained import load_network
from semalign.models.remembered import Facts, facts_of, recalled
from semalign.results.records import read_record
from semalign.tensor_files import tensor_fingerprint

logger = logging.getLogger(__name__)


def check_base(given: str, folder: Path, config: Mapping[str, Any], model: LanguageModel | None = None) -> None:
    """Make sure that an adapter was made for a model, as far as the files on this machine can tell.

    A record beside the adapter tells it best; there another tokenizer or setting counts too, so it is a warning only.

    Args:
        given: name or folder of the model.
        folder: the adapter's folder.
        config: its configuration.
        model: the model itself, if it is in memory.

    Raises:
        ValueError: if the adapter names another base, which is here and has other weights.
    """
    named = config.get("base_model_name_or_path")
    if named and not isinstance(named, str):
        raise ValueError(f"{folder / 'adapter_config.json'}: base_model_name_or_path must be text, it is {named!r}")
    if (same := _as_recorded(folder, given, model)) is False:
        logger.warning(
            "%s is not the model that the adapter in %s was trained on: the record there has another fingerprint of "
            "its base; give the base as it was then",
            given or "this model",
            folder,
        )
    if named and given and not same:
        _check_names(named, given, folder)


def _check_names(named: str, given: str, folder: Path) -> None:
    """Compare the base that an adapter names with a model, by their files or else by their names."""
    folders = [files_of(name) for name in (named, given)]
    if None in folders:
        if Path(named).name != Path(given).name:
            logger.warning("the adapter in %s was made for %s, not for %s", folder, named, given)
    elif not _same_weights(*folders):  # type: ignore[arg-type]
        raise ValueError(f"the adapter in {folder} was made for {named}, which has other weights than {given}")


def files_of(name: str) -> Path | None:
    """Return the folder on this machine that holds a model, also that of the hub's cache; None if there is none."""
    try:
        folder = cached_folder(locate(name))
        return folder if has_weights(folder) else None
    except (OSError, ValueError):
        return None


def _same_weights(one: Path, other: Path) -> bool:
    """Return whether two folders hold the same weights, also if these are cut into other files."""
    if one.samefile(other):
        return True
    hashes = [[file_sha256(each / name) for name in weight_files(each)] for each in (one, other)]
    if hashes[0] == hashes[1]:
        return True
    return len({tensor_fingerprint(load_network(str(each), None).state_dict()) for each in (one, other)}) == 1


def _as_recorded(folder: Path, given: str, model: LanguageModel | None) -> bool | None:
    """Return whether a model is the base in the record beside an adapter; None if that cannot be told.

    In another type it has another identity. Without the model in memory, only what is remembered of its files counts.
    """
    try:
        recorded = Facts(**read_record(folder / "record.json")["details"]["base"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    found = _recalled(given)
    if found != recorded and model is not None:
        alike = types_of(model.model.parameters()) == recorded.types
        found = facts_of(model) if alike else None
    return None if found is None or found.types != recorded.types else found == recorded


def _recalled(name: str) -> Facts | None:
    try:
        return recalled(name)
    except (OSError, ValueError):
        return None


def without_adapter(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """Return the model below an adapter, as a copy that shares its weights; a plain model as it is."""
    return shared_copy(model).unload() if isinstance(model, PeftModel) else model


def changed_in_memory(model: LanguageModel, identity: str) -> bool:
    """Return whether a model is another one than the files that it names, and warn; an adapter on it is left out.

    It counts as the same where these are not here or cannot be loaded, and if it is quantised and they are not.

    Args:
        model: the model, which is in memory.
        identity: its identity (:func:`semalign.models.identity.model_identity`), without an adapter on it.
    """
    base: Any = without_adapter(model.model)
    name = base.config.name_or_path or ""
    folder = files_of(name) if name else None
    if folder is None or getattr(base.config, "quantization_config", None) is not None:
        return False
    known = _recalled(name)
    if (known is not None and known.identity == identity) or _equals_files(base, folder):
        return False
    logger.warning(
        "the student is not the model in %s: it was changed in memory, so an adapter of it will name no base; save the "
        "student too, with save_pretrained()",
        name,
    )
    return True


def _equals_files(model: PreTrainedModel, folder: Path) -> bool:
    """Return whether a model has the settings and weights in a folder, or whether these cannot be loaded here.

    The weights count as rounded to the types of the model. Which tokens begin, end or fill a text is no property of
    the weights: many programs set them after loading.
    """
    try:
        other = load_network(str(folder), None)
    except (OSError, ValueError):
        return True
    ours, theirs = whole_state(model), whole_state(other)
    if _settings(model) != _settings(other) or ours.keys() != theirs.keys():
        return False
    return all(torch.equal(tensor.cpu(), theirs[name].to(tensor.dtype)) for name, tensor in ours.items())


def _settings(model: PreTrainedModel) -> dict[str, Any]:
    settings = plain_settings(model.config.to_dict())
    return {key: value for key, value in settings.items() if not key.endswith("_token_id")}


@contextmanager
def unnamed(model: LanguageModel) -> Iterator[None]:
    """Take the name of its files from a model, and from its adapters, while the block runs."""
    network: Any = model.model
    base: Any = network.get_base_model() if isinstance(network, PeftModel) else network
    configs: Any = network.peft_config.values() if isinstance(network, PeftModel) else ()
    named: Any = base.config.name_or_path, base.name_or_path, [config.base_model_name_or_path for config in configs]
    try:
        _name(base, configs, "", None, [None] * len(configs))
        yield
    finally:
        _name(base, configs, *named)


def _name(base: Any, configs: Any, of_config: str, of_model: str | None, of_adapters: list[str | None]) -> None:
    base.config.name_or_path, base.name_or_path = of_config, of_model
    for config, name in zip(configs, of_adapters, strict=True):
        config.base_model_name_or_path = name
