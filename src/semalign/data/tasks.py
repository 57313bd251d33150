"""The items of a task: as the rows of its data, as lm-eval takes them, and as rows of prompt and response."""

import logging
import random
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semalign.data.chat import chat_format
from semalign.data.row_files import Row, Rows
from semalign.data.sources import fingerprint, first
from semalign.data.task_answers import scored_answers
from semalign.data.task_check import OUTPUTS
from semalign.data.task_documents import Documents, processed
from semalign.data.task_file import task_file
from semalign.data.task_items import Fields, check_items
from semalign.paths import data_roots

if TYPE_CHECKING:  # lm-eval takes seconds to import
    from lm_eval.api.task import ConfigurableTask
    from transformers import PreTrainedTokenizerBase


def documents(task: str | Path, split: str, limit: int | None = None) -> list[Row]:
    """Return the items of a task: of its ``train``, ``validation`` or ``test`` split, or of one by its own name.

    They are the rows of its data, or what its ``process_docs`` makes of them. A limit is of each group where the task
    has groups: 20 items of MMLU are 20 of every subject, as with lm-eval.

    Raises:
        ValueError: for an unknown task, a limit below 1, or a row that does not fit the task, whether it is among the
            first or not; see :func:`semalign.data.task_items.check_items`.
        FileNotFoundError: if neither a data root nor the hub has the split.
    """
    return first(_rows_and_items(task, split)[1], limit, task_file(task).metadata.get("group_by"))


def _rows_and_items(task: str | Path, split: str) -> tuple[Rows, Rows]:
    """Return the rows of a split, and the items that the task makes of them, which are checked."""
    file = task_file(task)
    rows, configuration = file.data.rows(split), file.configuration()
    items = processed(rows, configuration.get("process_docs"))
    check_items(items, configuration)
    return rows, items


def split_fingerprint(task: str | Path, split: str) -> str:
    """Return a short hash of the rows of a split, the same for a data root and the hub.

    What the task makes of them is up to its file, which has a hash of its own.
    """
    file = task_file(task)
    files = (path for path in file.data.files.values() if path.is_file())  # reading tells of one that is not there
    own = [(path, (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
    return items_hash(task, split, (file.fingerprint, *data_roots(), *own))


@lru_cache
def items_hash(task: str | Path, split: str, read_from: tuple[Hashable, ...]) -> str:
    """Return the hash of a split, computed once; what it is read from only tells apart what is kept."""
    return fingerprint(_rows_and_items(task, split)[0])


def chat_name(task: str | Path, chat: str | None = None) -> str:
    """Return the chat format of a task: the one asked for, else that of its file, else none (``plain``)."""
    return chat or task_file(task).metadata.get("chat", "plain")


def load_task(
    task: str | Path,
    split: str,
    limit: int | None = None,
    *,
    chat: str | None = None,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
) -> "ConfigurableTask":
    """Return lm-eval's task over one split of the data.

    Args:
        task: a bundled task's name or the path of a YAML; see :func:`semalign.data.task_file.task_file`.
        split: ``train``, ``validation`` or ``test``, or a split's own name in the data set.
        limit: take the first items only; of each group where the task has groups (MMLU: of each subject).
        chat: see :func:`semalign.data.chat.chat_format`; None: as the task file says.
        tokenizer: for ``chat="model"``.
    """
    from lm_eval.api.task import ConfigurableTask

    format_prompt = chat_format(chat_name(task, chat), tokenizer)
    configuration = task_file(task).configuration()
    data = Documents(documents(task, split, limit))
    fields = Fields.of(configuration)
    asks_for_text = configuration.get("output_type", OUTPUTS[0]) == OUTPUTS[0]
    overrides: dict[str, Any] = {
        "custom_dataset": lambda **_: {split: data},
        "training_split": None,
        "validation_split": None,
        "test_split": split,
        "process_docs": None,  # the documents are what it made
        # Description and beginning of the answer go into the prompt, between and behind the chat format's markers.
        "doc_to_text": lambda document: format_prompt(fields.question(document), fields.prefix(document)),
        "description": "",
        "gen_prefix": None,
        "should_decontaminate": False,
        "fewshot_split": None,
        "fewshot_config": None,
        "doc_to_target": scored_answers(fields.target, fields.choices, asks_for_text, data),
        "doc_to_choice": None if asks_for_text else fields.choices,
    }
    with quiet_engine():
        try:
            return ConfigurableTask(config={**configuration, **overrides})
        except Exception as error:  # what lm-eval alone knows about a task file
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(f"{task_file(task).path}: lm-eval refuses the task ({reason})") from error


@contextmanager
def quiet_engine() -> Iterator[None]:
    """Keep lm-eval's log to its errors, and random numbers as they would be without it, while the block runs."""
    import numpy as np

    logger = logging.getLogger("lm_eval")
    level, python, array = logger.level, random.getstate(), np.random.get_state()
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        random.setstate(python)
        np.random.set_state(array)


def prompt(task: "ConfigurableTask", document: Row) -> str:
    """Return the text that the model is given for a document."""
    return task.fewshot_context(document, num_fewshot=0)


def response(task: "ConfigurableTask", document: Row) -> str:
    """Return the text of the right answer, the first if there are several, as it continues the prompt."""
    target = task.doc_to_target(document)
    right = target[0] if isinstance(target, list) else target
    if task.config.doc_to_choice is not None:
        right = task.doc_to_choice(document)[right]
    return f"{task.config.target_delimiter}{right}"


def rows(task: str | Path, split: str, limit: int | None = None, **chat: Any) -> list[dict[str, str]]:
    """Return a split as rows of ``prompt`` and ``response``.

    They come from the task file of the evaluation: training and generation split the text at the same place.

    Args:
        task: as in :func:`load_task`.
        split: as in :func:`load_task`.
        limit: the first rows only, whether the task has groups or not.
        **chat: ``chat`` and ``tokenizer`` as in :func:`load_task`.
    """
    return rows_of(load_task(task, split, **chat), limit)


def rows_of(task: "ConfigurableTask", limit: int | None = None) -> list[dict[str, str]]:
    """Return the items of a loaded task, or the first ones only, as rows of ``prompt`` and ``response``."""
    return [
        {"prompt": prompt(task, document), "response": response(task, document)}
        for document in first(list(task.eval_docs), limit)
    ]
