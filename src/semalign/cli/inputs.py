"""What the values of options name, read: rows, settings, a layer map, a model with its adapter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from semalign.cli.options import usage
from semalign.yaml_text import parse, read_mapping

Rows = list[dict[str, Any]]


def rows_of_data(data: str, split: str, limit: int | None, reader: str) -> Rows:
    """Return the rows of a file, the training rows of a task, or the rows of another split of it.

    Of a task whose chat format is the model's own, they are in that of ``reader``.
    """
    if not data.strip():
        raise ValueError("no data '': give a task or a file of rows")
    from semalign.data import tasks as benchmarks
    from semalign.data import training_rows as training_data
    from semalign.data.rows import read_rows
    from semalign.data.sources import first
    from semalign.data.task_file import is_path, task_names

    if data not in task_names() and not is_path(data) and (Path(data).suffix or Path(data).exists()):
        return first(read_rows(data), limit)
    tokenizer = _tokenizer(reader) if benchmarks.chat_name(data) == "model" else None
    if split == "train":
        return training_data.rows(data, limit, tokenizer=tokenizer)
    return benchmarks.rows(data, split, limit, tokenizer=tokenizer)


def _tokenizer(model: str) -> Any:
    from semalign.models.source import FiledModel

    return FiledModel(model).outline.tokenizer


def rows_to_train_on(data: str, examples: int | None, hold_out: int, reader: str) -> tuple[Rows, Rows | None]:
    """Return the first rows of a file or a task to train on, and the rows after them that are held out, if any are.

    Args:
        data: a file, or a task, whose training rows are meant.
        examples: number of rows to train on; by default all that are not held out.
        hold_out: number of rows to hold out.
        reader: see :func:`rows_of_data`.

    Raises:
        ValueError: for data with fewer rows.
    """
    rows = rows_of_data(data, "train", examples and examples + hold_out, reader)
    if examples and len(rows) < examples + hold_out:
        held = f" and {hold_out} to hold out" if hold_out else ""
        raise ValueError(f"{data} has {len(rows)} rows, fewer than {examples} to train on{held}: ask for fewer")
    if hold_out and hold_out >= len(rows):
        raise ValueError(f"{data} has {len(rows)} rows: none are left to train on if {hold_out} are held out")
    return (rows[:-hold_out], rows[-hold_out:]) if hold_out else (rows, None)


def task_of(data: str) -> str:
    """Return the name of a task, or that of a file without its suffix."""
    return data if not Path(data).suffix else Path(data).stem


def settings_of(settings: list[str], option: str = "--set") -> dict[str, Any]:
    """Return settings given as KEY=VALUE; values are read as YAML."""
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{option} takes KEY=VALUE, got {setting!r}")
        if key in found:
            raise typer.BadParameter(f"{option} gives {key} twice")
        with usage(option):  # YAML 1.1 reads 3e-4 as text, but pydantic converts this text to a number
            found[key] = parse(value, setting)
    return found


def mapping_of(path: Path) -> dict[Any, Any]:
    """Return the keys and values of a YAML file."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    return read_mapping(path)


def check_adapter(adapter: Path | None) -> None:
    """Raise ``FileNotFoundError`` for a folder without a PEFT adapter."""
    if adapter is None or (adapter / "adapter_config.json").is_file():
        return
    if (adapter / "config.json").is_file():
        raise FileNotFoundError(f"{adapter} holds a whole model, no adapter: give it as the model, without --adapter")
    raise FileNotFoundError(f"{adapter} holds no PEFT adapter: `semalign transfer --out {adapter}` writes one")


def adapted(model: str, adapter: Path) -> Any:
    """Return a model with a PEFT adapter on it, not merged."""
    from semalign import load_model
    from semalign.models.adapters import put_adapter, read_config

    read_config(adapter)  # finds errors before the model is loaded
    return put_adapter(load_model(model), adapter)


def with_adapter(model: str, adapter: Path | None, engine: str, options: Mapping[str, Any]) -> Any:
    """Return the model to evaluate with an adapter.

    It is merged in memory for transformers, unless the weights are in half precision, which would round its changes,
    or it changes one of two tied modules, since both would change. vLLM loads it separately.
    """
    from semalign import LanguageModel, load_model
    from semalign.evaluation.vllm_engine import VllmModel
    from semalign.models.adapters import shared_targets
    from semalign.models.precision import is_half

    if engine == "vllm":
        return VllmModel(model, adapter, options)
    if adapter is None:
        return load_model(model)
    loaded = adapted(model, adapter)
    if is_half(loaded.model) or shared_targets(loaded.model):
        return loaded
    return LanguageModel(loaded.model.merge_and_unload().eval(), loaded.tokenizer)
