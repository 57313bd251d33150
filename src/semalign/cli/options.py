"""Arguments and options that several commands share, and how their values are read."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from semalign.paths import use_data_root

Model = Annotated[str, typer.Argument(metavar="MODEL", help="folder, .gguf file, known name or hub id")]
Teacher = Annotated[str, typer.Argument(metavar="TEACHER", help="the larger model")]
Student = Annotated[str, typer.Argument(metavar="STUDENT", help="the smaller model")]
Data = Annotated[str, typer.Option("--data", "-d", help="task name, task file, or JSONL file of prompts and responses")]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root", callback=use_data_root, help="folder with data, searched before those of SEMALIGN_DATA"
    ),
]
Interface = Annotated[str, typer.Option(help="attention, mlp, residual or layer")]


def _use_sandbox(mode: str | None) -> str | None:
    """Set the sandbox mode of this process and the processes that it starts."""
    if mode is not None:
        os.environ["SEMALIGN_SANDBOX"] = choice(mode, "bubblewrap", "limits")
    return mode


Sandbox = Annotated[
    str | None,
    typer.Option(
        callback=_use_sandbox,
        metavar="bubblewrap|limits",
        help="how generated programs are isolated; limits isolates less; "
        "default: variable SEMALIGN_SANDBOX, else bubblewrap",
    ),
]


def choice(value: str, *allowed: str) -> Any:
    """Return a value unchanged if it is allowed; raise ``typer.BadParameter`` otherwise."""
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}")
    return value


def names_of(text: str | None) -> list[str] | None:
    """Return the names in a list separated by commas."""
    return None if text is None else [name.strip() for name in text.split(",")]


def rows_of_data(data: str, split: str, limit: int | None) -> list[dict[str, str]]:
    """Return the rows of a JSONL file, the training rows of a task, or the rows of another split of it."""
    from semalign.data import tasks as benchmarks
    from semalign.data import training_rows as training_data
    from semalign.data.rows import read_rows
    from semalign.data.task_file import is_path

    if Path(data).suffix and not is_path(data):
        return read_rows(data)[:limit]
    return training_data.rows(data, limit) if split == "train" else benchmarks.rows(data, split, limit)


def settings_of(settings: list[str], option: str = "--set") -> dict[str, Any]:
    """Return settings given as KEY=VALUE; values are read as YAML."""
    pairs = [setting.partition("=") for setting in settings]
    for key, equals, _ in pairs:
        if not equals:
            raise typer.BadParameter(f"{option} takes KEY=VALUE, got {key!r}")
    # YAML 1.1 reads 3e-4 as text, but pydantic converts this text to a number.
    return {key: yaml.safe_load(value) for key, _, value in pairs}


def mapping_of(path: Path) -> dict[Any, Any]:
    """Return the keys and values of a YAML file."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values, one `key: value` on each line")
    return content


def adapted(model: str, adapter: Path) -> Any:
    """Return a model with a PEFT adapter on it, not merged."""
    from peft import PeftModel

    from semalign import LanguageModel, load_model

    if not (adapter / "adapter_config.json").is_file():
        raise FileNotFoundError(f"{adapter} holds no PEFT adapter: `semalign transfer --out {adapter}` writes one")
    loaded = load_model(model)
    model_with = PeftModel.from_pretrained(loaded.model, adapter).eval()
    return LanguageModel(model_with, loaded.tokenizer)  # type: ignore[arg-type]


def with_adapter(model: str, adapter: Path | None, engine: str, options: dict[str, Any]) -> Any:
    """Return the model to evaluate; the adapter is merged in memory for transformers and loaded separately for vLLM."""
    from semalign import LanguageModel, load_model
    from semalign.evaluation.vllm_engine import VllmModel

    if engine == "vllm":
        return VllmModel(model, adapter, options)
    if options:
        raise typer.BadParameter("--vllm needs --engine vllm")
    if adapter is None:
        return load_model(model)
    loaded = adapted(model, adapter)
    return LanguageModel(loaded.model.merge_and_unload().eval(), loaded.tokenizer)
