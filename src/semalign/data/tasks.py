"""Tasks: which there are, what their files say, and their items as lm-eval takes them and as rows for training."""

import difflib
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semalign.data.chat import chat_format
from semalign.data.sources import dataset_rows, first

if TYPE_CHECKING:  # lm-eval takes seconds to import
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager
    from transformers import PreTrainedTokenizerBase

TASKS = Path(__file__).with_name("task_files")
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


@cache
def _manager() -> "TaskManager":
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(TASKS), include_defaults=False)


def _config(name: str) -> dict[str, Any]:
    return _manager().task_index[check_task(name)].cfg or {}


def documents(name: str, split: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the rows of a task's data: its ``train``, ``validation`` or ``test`` split, or one by its own name.

    A limit is of each group where the task has groups: 20 items of MMLU are 20 of every subject, as with lm-eval.

    Raises:
        ValueError: for an unknown task, or a limit below 1.
        FileNotFoundError: if neither a data root nor the hub has the split.
    """
    dataset, config, names = data_of(name)
    return first(dataset_rows(dataset, config, names.get(split, split)), limit, metadata(name).get("group_by"))


def data_of(name: str) -> tuple[str, str | None, dict[str, str]]:
    """Return the data set of a task, its configuration, and which of its splits are ``train``, ``validation``, ..."""
    config = _config(name)
    names = {split: config[key] for split, key in SPLITS.items() if key in config}
    return config["dataset_path"], config.get("dataset_name"), names


def metadata(name: str) -> dict[str, Any]:
    """Return what a task file says beyond lm-eval's own keys: version, primary metric, chat format, training data."""
    return _config(name)["metadata"]


def chat_name(task: str, chat: str | None = None) -> str:
    """Return the chat format of a task: the one asked for, else that of its file, else none (``plain``)."""
    return chat or metadata(task).get("chat", "plain")


def runs_programs(name: str) -> bool:
    """Return whether a task is scored by running what the model wrote."""
    return _config(name)["metadata"]["primary"].startswith("pass@")


def load_task(
    name: str,
    split: str,
    limit: int | None = None,
    *,
    chat: str | None = None,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
) -> "ConfigurableTask":
    """Return lm-eval's task over one split of the data.

    Args:
        name: one of :func:`task_names`.
        split: ``train``, ``validation`` or ``test``, or a split's own name in the data set.
        limit: take the first items only; of each group where the task has groups (MMLU: of each subject).
        chat: see :func:`semalign.data.chat.chat_format`; None: as the task file says.
        tokenizer: for ``chat="model"``.
    """
    from datasets import Dataset

    format_prompt = chat_format(chat_name(name, chat), tokenizer)
    data = Dataset.from_list(documents(name, split, limit))
    question, answer = _template(name, "doc_to_text", data.column_names), _template(name, "gen_prefix")
    # An inline group is how lm-eval lets a caller override fields of a registered task.
    overrides: dict[str, Any] = {
        "custom_dataset": lambda **_: {split: data},
        "training_split": None,
        "validation_split": None,
        "test_split": split,
        "doc_to_text": lambda document: format_prompt(question(document), answer(document)),
        "gen_prefix": None,
    }
    group = {"group": "semalign", "task": [{"task": name, **overrides}]}
    with quiet_engine():
        return _manager().load([group])["tasks"][name]


def _template(name: str, field: str, columns: Sequence[str] = ()) -> "Callable[[dict[str, Any]], str]":
    """Return a field of a task file, a template or a column, as a function; lm-eval would compile it for each item."""
    from lm_eval.utils import env

    text = _config(name).get(field) or ""
    if text in columns:
        return lambda document: document[text]
    template = env.from_string(text)
    return lambda document: template.render(document)


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


def rows(task: str, split: str, limit: int | None = None, **chat: Any) -> list[dict[str, str]]:
    """Return a split as training rows, ``{"prompt", "response"}``; ``chat`` and ``tokenizer`` as in load_task.

    They come from evaluation's task file: training and generation split the text at the same place.
    """
    loaded = load_task(task, split, **chat)
    return [
        {"prompt": prompt(loaded, document), "response": response(loaded, document)}
        for document in first(list(loaded.eval_docs), limit)
    ]


def response(task: "ConfigurableTask", document: dict[str, Any]) -> str:
    """Return the text of the right answer, as it goes on from the prompt."""
    target = task.doc_to_target(document)
    if task.config.doc_to_choice is not None:
        target = task.doc_to_choice(document)[int(target)]
    return f"{task.config.target_delimiter}{target}"
