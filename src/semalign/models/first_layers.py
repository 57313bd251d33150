"""The first layers of a model on disk, read without the files of the others."""

import copy
import json
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig

from semalign.models.integrity import read_object, weight_files
from semalign.models.layout_files import layout_of

INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# Settings that depend on the numbers of layers, which transformers counts from 0.
LISTED = ("mlp_only_layers", "moe_layers")  # lists of numbers
LEADING = ("first_k_dense_replace",)  # how many layers, from the first, are of another kind
BY_NUMBER = ("scale_attn_by_inverse_layer_idx",)  # the number itself enters what a layer computes


def with_layers(config: PretrainedConfig, kept: Sequence[int]) -> PretrainedConfig:
    """Return a configuration of some layers only, each with the settings that it had.

    Lists with an entry for each layer are shortened, and settings that name layers by their numbers name the new ones.

    Args:
        config: configuration of a model.
        kept: 1-based numbers of the layers, in ascending order.

    Raises:
        ValueError: for a setting by which a layer would depend on its new number.
    """
    config = copy.deepcopy(config)
    text = config.get_text_config()
    numbers = [k - 1 for k in kept]
    for name, value in _settings_of(text.to_dict(), numbers, text.num_hidden_layers).items():
        setattr(text, name, value)
    text.num_hidden_layers = len(kept)
    return config


def _settings_of(settings: Mapping[str, Any], numbers: Sequence[int], n_layers: int) -> dict[str, Any]:
    """Return those settings of single layers that change if only some layers are left, counted from 0."""
    if numbers != [*range(len(numbers))] and (by_number := [name for name in BY_NUMBER if settings.get(name)]):
        raise ValueError(
            f"{by_number[0]} gives a layer another scale for each number, so that fewer layers would be another model: "
            "remove only the last layers, or take a model without it"
        )
    lists = {name: value for name, value in settings.items() if "layer" in name and isinstance(value, list)}
    each = {name: value for name, value in lists.items() if len(value) >= n_layers and name not in LISTED}
    leading = {name: value for name in LEADING if isinstance(value := settings.get(name), int)}
    return {
        **{name: [value[i] for i in numbers] for name, value in each.items()},
        **{name: sum(i < value for i in numbers) for name, value in leading.items()},
        **{name: _renumbered(lists[name], numbers) for name in LISTED if name in lists},
        **_without_step(settings, numbers),
    }


def _renumbered(listed: Collection[int], numbers: Sequence[int]) -> list[int]:
    return [new for new, old in enumerate(numbers) if old in listed]


def _without_step(settings: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, Any]:
    """Return a list of the layers without experts, in place of a step by which every n-th layer has some."""
    step, dense = settings.get("decoder_sparse_step") or 1, settings.get("mlp_only_layers")
    if step == 1 or dense is None:
        return {}
    between = [i for i in numbers if (i + 1) % step]
    return {"decoder_sparse_step": 1, "mlp_only_layers": _renumbered({*dense, *between}, numbers)}


def can_be_cut(config: PretrainedConfig, layers: int) -> bool:
    """Return whether a model has more than ``layers`` layers and no other towers, whose layers have the same names."""
    return config.get_text_config() is config and 0 < layers < config.num_hidden_layers


def above(names: Iterable[str], config: PretrainedConfig, layers: int) -> set[str]:
    """Return those names of weights that belong to a layer after the first ``layers``."""
    container = layout_of(config.model_type).layers.rpartition(".")[2]
    numbered = re.compile(rf"(?:^|\.){re.escape(container)}\.(\d+)\.")
    return {name for name in names if (match := numbered.search(name)) and int(match[1]) >= layers}


@contextmanager
def files_of_layers(folder: Path, config: PretrainedConfig, layers: int) -> Iterator[Path]:
    """Yield a folder that holds, as links, a model's files without the shards that only later layers need.

    transformers opens every file that an index names. A model in one file is yielded as it is: of that file, only the
    weights that are needed are read.

    Args:
        folder: the model's folder.
        config: its whole configuration.
        layers: number of layers, from the first.
    """
    index = next((path for name in INDICES if (path := folder / name).is_file()), None)
    if index is None or len(weight_files(folder)) == 1:
        yield folder
        return
    places = read_object(index)["weight_map"]
    left_out = above(places, config, layers)
    needed = {name: file for name, file in places.items() if name not in left_out}
    skipped = {index.name, *places.values()} - {*needed.values()}
    with tempfile.TemporaryDirectory() as links:
        for path in folder.iterdir():
            if path.name not in skipped:
                (Path(links) / path.name).symlink_to(path.absolute())
        (Path(links) / index.name).write_text(json.dumps({"metadata": {}, "weight_map": needed}), encoding="utf-8")
        yield Path(links)
