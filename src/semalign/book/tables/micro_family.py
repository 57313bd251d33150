"""Tables of the bundled models and benchmarks, and what models answer to an item."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

from semalign.book.markdown import Interval
from semalign.book.tables.paper import in_order, title
from semalign.book.tables.transfers import NOT_RUN
from semalign.micro.benchmarks import SPLITS
from semalign.micro.knowledge import LETTERS

Record = Mapping[str, Any]


def model_table(
    folders: Sequence[Path], scores: Mapping[tuple[str, str], Record], tasks: Sequence[str]
) -> pd.DataFrame:
    """Return size, training and scores of each bundled model.

    Args:
        folders: folders of models.
        scores: records of models as they are, by model and task.
        tasks: the benchmarks, in order.
    """
    return pd.DataFrame([{**_size(folder), **_scores(folder.name, scores, tasks)} for folder in folders])


def _size(folder: Path) -> dict[str, Any]:
    config, made = (json.loads((folder / name).read_text("utf-8")) for name in ("config.json", "pretraining.json"))
    recipe = made["recipe"]
    return {
        "model": folder.name,
        "made from": recipe.get("continues") or "scratch",
        "layers": config["num_hidden_layers"],
        "width": config["hidden_size"],
        "parameters": f"{_parameters(folder) / 1e6:.1f} M",
        "tokens of its own training": f"{sum(stage['tokens'] for stage in recipe['stages']) / 1e6:.1f} M",
    }


def _parameters(folder: Path) -> int:
    total = 0
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        for name in weights.keys():
            rows, *columns = weights.get_slice(name).get_shape()
            total += rows * (columns[0] if columns else 1)
    return total


def _scores(model: str, scores: Mapping[tuple[str, str], Record], tasks: Sequence[str]) -> dict[str, str | Interval]:
    found = {title(task): scores.get((model, task)) for task in tasks}
    return {
        name: NOT_RUN if record is None else Interval(record["value"], *record["interval"])
        for name, record in found.items()
    }


def benchmark_table(folder: Path) -> pd.DataFrame:
    """Return the number of items of each bundled benchmark, by split.

    Args:
        folder: the benchmarks' folder, with ``NAME/SPLIT.jsonl`` in it.
    """
    rows = [
        {"benchmark": path.name.replace("-", "_"), **{split: _lines(path / f"{split}.jsonl") for split in SPLITS}}
        for path in folder.glob("micro-*")
    ]
    shown = pd.DataFrame(rows).sort_values("benchmark", key=in_order, ignore_index=True)
    return shown.assign(benchmark="micro-" + shown["benchmark"].map(title))


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def answers_text(records: Mapping[str, Record | None], right: Sequence[str], item: int = 0) -> str:
    """Return the prompt of an item of a test split, a right answer, and what each model answered, in Markdown.

    Args:
        records: records of scores, by what to call the model; None if not run.
        right: a right answer to each of the first items.
        item: number of the item, one of those that records keep.
    """
    kept = {name: _kept(record, item) for name, record in records.items()}
    prompts = {example["prompt"] for example in kept.values() if example}
    if len(prompts) > 1:
        raise ValueError(f"the records are of {len(prompts)} different items")
    asked = _block(prompts.pop()) if prompts else f"*{NOT_RUN}*"
    answer = _block(right[item].strip("\n"))
    return "\n\n".join([asked, f"**Right**:\n\n{answer}", *(_answer(*each) for each in kept.items())])


def changed_item(records: Sequence[Record | None]) -> int | None:
    """Return the first item, of those that records keep, to which they have different answers; None without one.

    Args:
        records: records of scores; None if not run.
    """
    kept = [record["details"].get("examples", []) for record in records if record]
    for item, examples in enumerate(zip(*kept, strict=False)):
        if len({json.dumps(example["answer"]) for example in examples}) > 1:
            return item
    return None


def _kept(record: Record | None, item: int) -> Mapping[str, Any] | None:
    examples = record["details"].get("examples", []) if record else []
    return examples[item] if item < len(examples) else None


def _answer(name: str, example: Mapping[str, Any] | None) -> str:
    if example is None:
        return f"**{name}**: *{NOT_RUN}*"
    answer = LETTERS[example["answer"]] if isinstance(example["answer"], int) else example["answer"].strip("\n")
    return f"**{name}**, {'right' if example['correct'] else 'wrong'}:\n\n{_block(answer)}"


def _block(text: str) -> str:
    return f"````text\n{text}\n````"
