"""Benchmark data: which tasks there are, where their splits lie on disk, and their rows for training."""

import difflib
import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet

from semalign.paths import data_roots

if TYPE_CHECKING:  # lm-eval takes seconds to import
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager

TASKS = Path(__file__).with_name("tasks")
SPLITS = {"train": "training_split", "validation": "validation_split", "test": "test_split"}


def task_names() -> list[str]:
    """Return the names of the tasks that can be evaluated."""
    return sorted(path.stem for path in TASKS.glob("*.yaml"))


def check_task(name: str) -> str:
    """Return ``name`` if it names a task; ``ValueError`` with the nearest name otherwise."""
    if name not in task_names():
        near = difflib.get_close_matches(name, task_names(), 1)
        hint = f": did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"no task {name!r}{hint} Tasks: {', '.join(task_names())}")
    return name


def locate(dataset: str, config: str | None, split: str) -> Path:
    """Return the file of a split: ``<root>/<dataset>[/<config>]/<split>.jsonl`` or ``.parquet``.

    Raises:
        FileNotFoundError: if no data root has it; it names the places and the setting.
    """
    folder = Path(dataset, config or "")
    for root in data_roots():
        for suffix in (".jsonl", ".parquet"):
            if (path := root / folder / f"{split}{suffix}").is_file():
                return path
    looked = ", ".join(str(root / folder) for root in data_roots())
    raise FileNotFoundError(
        f"no split {split!r} of {dataset}: looked for {split}.jsonl and {split}.parquet in {looked}. "
        f"Set SEMALIGN_DATA to a folder that has {folder / split}.jsonl, with the columns of the data set."
    )


def documents(path: Path | str, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the rows of a JSONL or Parquet file, the first ``limit`` of them if given.

    Raises:
        ValueError: for a line that is no JSON object (named), a file without rows, a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"a limit must be at least 1 item, got {limit}")
    path = Path(path)
    rows = pyarrow.parquet.read_table(path).to_pylist() if path.suffix == ".parquet" else list(_jsonl(path))
    if not rows:
        raise ValueError(f"{path} has no rows")
    return rows[:limit]


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number} must be a JSON object with named columns")
            yield row


@cache
def _manager() -> "TaskManager":
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(TASKS), include_defaults=False)


def _config(name: str) -> dict[str, Any]:
    return _manager().task_index[check_task(name)].cfg or {}


def task_file(name: str, split: str) -> Path:
    """Return the file that holds a split of a task: ``train``, ``validation``, ``test`` or the data set's own name."""
    config = _config(name)
    return locate(config["dataset_path"], config.get("dataset_name"), config.get(SPLITS.get(split, ""), split))


def runs_programs(name: str) -> bool:
    """Return whether a task is scored by running what the model wrote."""
    return _config(name)["metadata"]["primary"].startswith("pass@")


def load_task(name: str, split: str, limit: int | None = None) -> "ConfigurableTask":
    """Return lm-eval's task over one split of the data on disk.

    Args:
        name: one of :func:`task_names`.
        split: ``train``, ``validation`` or ``test``, or a split's own name in the data set.
        limit: take the first items only.
    """
    from datasets import Dataset
    from lm_eval.utils import env

    config = _config(name)
    data = Dataset.from_list(documents(task_file(name, split), limit))
    # An inline group is how lm-eval lets a caller override fields of a registered task.
    overrides: dict[str, Any] = {
        "custom_dataset": lambda **_: {split: data},
        "training_split": None,
        "validation_split": None,
        "test_split": split,
    }
    if config["doc_to_text"] not in data.column_names:
        template = env.from_string(config["doc_to_text"])  # lm-eval would compile it again for each item
        overrides["doc_to_text"] = lambda document: template.render(document)
    group = {"group": "semalign", "task": [{"task": name, **overrides}]}
    with quiet_engine():
        return _manager().load([group])["tasks"][name]


@contextmanager
def quiet_engine() -> Iterator[None]:
    """Keep lm-eval's log to its errors, and random numbers as they would be without it, while the block runs."""
    logger = logging.getLogger("lm_eval")
    level, python, numpy = logger.level, random.getstate(), np.random.get_state()
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        random.setstate(python)
        np.random.set_state(numpy)


def prompt(task: "ConfigurableTask", document: dict[str, Any]) -> str:
    """Return the text that the model is given for a document."""
    return task.fewshot_context(document, num_fewshot=0)


def rows(task: str, split: str, limit: int | None = None) -> list[dict[str, str]]:
    """Return a split as training rows, ``{"prompt", "response"}``.

    They come from evaluation's task file: training and generation split the text at the same place.
    """
    loaded = load_task(task, split, limit)
    return [
        {"prompt": prompt(loaded, document), "response": _response(loaded, document)} for document in loaded.eval_docs
    ]


def _response(task: "ConfigurableTask", document: dict[str, Any]) -> str:
    target = task.doc_to_target(document)
    if task.config.doc_to_choice is not None:
        target = task.doc_to_choice(document)[int(target)]
    return f"{task.config.target_delimiter}{target}"
