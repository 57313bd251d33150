"""The first layers of a model on disk, read without the files of the others."""

import copy
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transformers import PretrainedConfig

from semalign.models.integrity import read_object, weight_files
from semalign.models.layout_files import layout_of

INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")


def with_layers(config: PretrainedConfig, kept: Sequence[int]) -> PretrainedConfig:
    """Return a configuration of some layers only; lists of per-layer settings are shortened too.

    Args:
        config: configuration of a model.
        kept: 1-based numbers of the layers, in ascending order.
    """
    config = copy.deepcopy(config)
    text = config.get_text_config()
    for name, value in text.to_dict().items():
        if "layer" in name and isinstance(value, list) and len(value) == text.num_hidden_layers:
            setattr(text, name, [value[k - 1] for k in kept])
    text.num_hidden_layers = len(kept)
    return config


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
