"""Is a model whole? Its files are checked before they are loaded, and the names of its weights after."""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

CAUSAL = re.compile(r"(CausalLM|LMHeadModel|ConditionalGeneration|Model)$")  # a bare model may have a tied head
# Weights that belong to a decoder layer, other than those that old versions of transformers saved without need.
IN_A_LAYER = re.compile(r"(^|\.)(layers|h|blocks)\.\d+\.(?!.*(inv_freq|masked_bias|causal_mask|att(n|ention)\.bias)$)")
SHOWN = 3  # names in a message


def check_folder(folder: Path) -> None:
    """Make sure that a folder holds one causal language model with all files of its weights, without loading them.

    Raises:
        FileNotFoundError: for a file that is missing.
        ValueError: for an adapter, another kind of model, a damaged file, or shards that contradict each other.
    """
    if (folder / "adapter_config.json").is_file():
        raise ValueError(f"{folder} {_adapter(folder)}")
    config = read_object(folder / "config.json")
    kinds = config.get("architectures") or []
    if config.get("is_encoder_decoder") or (kinds and not any(map(CAUSAL.search, kinds))):
        kind = ", ".join(kinds) or config.get("model_type")
        raise ValueError(f"{folder} holds a {kind}, which is no causal language model: give one that is")
    shards = {name: _tensors(folder / name) for name in weight_files(folder)}
    _check_index(folder, shards)
    _check_quantisation(folder, config, shards)


def _adapter(folder: Path) -> str:
    base = read_object(folder / "adapter_config.json").get("base_model_name_or_path") or "its base model"
    if (folder / "config.json").is_file():
        return f"holds a model and also a PEFT adapter of {base}: move adapter_config.json elsewhere, or the model"
    return f"holds a PEFT adapter, no model: give {base} as the model, and this folder with --adapter"


def read_object(path: Path) -> dict[str, Any]:
    """Return the keys and values of a JSON file; ``OSError`` if there is none, ``ValueError`` if it holds no object."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} has no {path.name}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON or of UTF-8
        raise ValueError(f"{path} is damaged ({error}): get it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold an object with keys and values: get it again")
    return content


def weight_files(folder: Path) -> list[str]:
    """Return the names of the files with the weights; if there are several, an index lists them.

    Raises:
        FileNotFoundError: if there are none, or one of them is missing.
        ValueError: for a damaged index.
    """
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [name]
        if (folder / f"{name}.index.json").is_file():
            found = sorted(set(_index(folder, name).values()))
            if missing := [file for file in found if not (folder / file).is_file()]:
                raise FileNotFoundError(f"{folder} has no {listed(missing)}, which its index names")
            return found
    raise FileNotFoundError(f"{folder} has no model.safetensors, nor shards with an index, nor pytorch_model.bin")


def has_weights(folder: Path | None) -> bool:
    """Return whether all files of the weights are there; the hub's cache may hold the configuration alone."""
    try:
        return folder is not None and bool(weight_files(folder))
    except FileNotFoundError:
        return False


def _index(folder: Path, name: str) -> dict[str, str]:
    path = folder / f"{name}.index.json"
    places = read_object(path).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise ValueError(f"{path} has no weight_map from weights to files: get it again")
    return places


def _tensors(path: Path) -> dict[str, str]:
    """Return names and types in a safetensors file, whose length its header must match; other files stay closed."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_slice(name).get_dtype() for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path} is cut off or damaged ({error}): get it again") from error


def _check_index(folder: Path, shards: Mapping[str, Mapping[str, str]]) -> None:
    counts = Counter(name for names in shards.values() for name in names)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"{folder} has {listed(twice)} in two files: remove the one that is not of this model")
    if len(shards) == 1 or not counts:
        return
    for name, file in _index(folder, "model.safetensors").items():
        if name not in shards[file]:
            raise ValueError(f"{folder}: the index names {file} for {name}, which is not in it: get both again")


def _check_quantisation(folder: Path, config: Mapping[str, Any], shards: Mapping[str, Mapping[str, str]]) -> None:
    """Make sure that transformers will not read codes as if they were numbers."""
    quantised = config.get("quantization_config")
    method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
    if quantised and not _is_known(str(method)):
        raise ValueError(f"{folder} is quantised by {method}, which transformers does not know: take the original")
    types = {name: kind for tensors in shards.values() for name, kind in tensors.items() if name.endswith(".weight")}
    if not quantised and (codes := [name for name, kind in types.items() if kind[0] in "IU"]):
        raise ValueError(f"{folder} has whole numbers in {listed(codes)} but no quantization_config: take the original")


def _is_known(method: str) -> bool:
    """Return whether transformers has a way of quantising that begins so."""
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING  # it loads PyTorch

    return any(known.startswith(method) for known in AUTO_QUANTIZER_MAPPING)


def check_keys(source: str, info: Mapping[str, Any]) -> None:
    """Make sure that a model has been loaded with all of its weights and no others.

    Args:
        source: where it came from.
        info: what transformers returns with ``output_loading_info``.

    Raises:
        ValueError: for weights that are missing or have another shape, which would be random numbers, or for weights of
            a layer that the model does not use.
    """
    missing, unused = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    if missing:
        instead = f"; unused are {listed(unused)}" if unused else ""
        raise ValueError(
            f"{source} lacks {len(missing)} weights of its architecture: {listed(missing)}{instead}: the file is "
            "damaged, or of another kind of model or another naming"
        )
    if wrong := sorted(info["mismatched_keys"]):
        shapes = [f"{name} is {tuple(found)}, not {tuple(wanted)}" for name, found, wanted in wrong]
        raise ValueError(f"{source} does not fit its config.json: {listed(shapes)}")
    if unused := [name for name in unused if IN_A_LAYER.search(name)]:
        raise ValueError(
            f"{source} has {len(unused)} weights that its architecture does not use: {listed(unused)}: config.json is "
            "of another model, or the weights are quantised or adapted in a way that is not known here"
        )


def listed(names: Collection[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(list(names)[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
