"""What a task trains on: rows of prompt and response that hold no item of its test split.

Most tasks train on their own split ``train``. A task file may say otherwise in ``metadata.training``:

- ``splits``: rows of other splits, without every item that the test split holds too (MMLU);
- ``dataset``: an instruction data set, without every row that mentions an item of the test split (HumanEval, which
  has no training split).
"""

import random
from pathlib import Path
from typing import TYPE_CHECKING

from semalign.data import tasks
from semalign.data.chat import Chat, chat_format
from semalign.data.columns import check_columns
from semalign.data.contamination import READER, ContaminationFilter, question_key
from semalign.data.row_files import Row
from semalign.data.sources import dataset_rows, first
from semalign.data.task_file import task_file

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COLUMNS = {"instruction": "text", "input": "text?", "output": "text"}


def rows(
    task: str | Path,
    limit: int | None = None,
    dataset: str | None = None,
    *,
    chat: str | None = None,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
) -> list[dict[str, str]]:
    """Return training rows of a task, ``{"prompt", "response"}``, in the chat format of its evaluation.

    Args:
        task: a bundled task, or the path of a task file.
        limit: the first rows only.
        dataset: instruction data in place of those that the task file names.
        chat: see :func:`semalign.data.chat.chat_format`; None: as the task file says.
        tokenizer: for ``chat="model"``.

    Raises:
        ValueError: for an unknown task, instruction data without the columns for them, a data set for a task that
            trains on its own, or fewer rows than ``limit`` where the file has ``metadata.training``.
        FileNotFoundError: if neither a data root nor the hub has the data, or the test split to compare them with.
    """
    training = task_file(task).metadata.get("training", {})
    if dataset and "dataset" not in training:
        raise ValueError(f"{task} trains on its own data, not on {dataset!r}: leave out training_data")
    if "splits" in training:
        found = _own_rows(task, training["splits"], chat, tokenizer)
    elif "dataset" in training:
        format_prompt = chat_format(tasks.chat_name(task, chat), tokenizer)
        found = _instruction_rows(task, dataset or training["dataset"], format_prompt)
    else:
        found = tasks.rows(task, "train", limit, chat=chat, tokenizer=tokenizer)
    if limit is not None and len(found) < limit and training:
        n = len(found)
        raise ValueError(f"{task} has {n} training rows, fewer than {limit}: lower train_size to {n} or leave it out")
    return first(found, limit)


def _own_rows(
    task: str | Path, splits: list[str], chat: str | None, tokenizer: "PreTrainedTokenizerBase | None"
) -> list[dict[str, str]]:
    """Return rows of several splits that are not in the test split, each question once."""
    items = tasks.documents(task, "test")
    check_columns(items, {"question": "text", "choices": "texts"}, READER)
    tested = {question_key(item) for item in items}
    kept: dict[tuple[str, ...], dict[str, str]] = {}
    for split in splits:
        loaded = tasks.load_task(task, split, chat=chat, tokenizer=tokenizer)
        for document, row in zip(loaded.eval_docs, tasks.rows_of(loaded), strict=True):
            if (key := question_key(document)) not in tested:
                kept.setdefault(key, row)
    # Such data are ordered by subject: the first rows of a limit would be of a few subjects only.
    shuffled = list(kept.values())
    random.Random(0).shuffle(shuffled)
    return shuffled


def _instruction_rows(task: str | Path, dataset: str, format_prompt: Chat) -> list[dict[str, str]]:
    test = ContaminationFilter.of(tasks.documents(task, "test"))
    found = dataset_rows(dataset, None, "train")
    check_columns(found, COLUMNS, f"training data for {task}")
    whole = (row for row in found if _text(row, "output").strip() and _text(row, "instruction", "input").strip())
    return [_instruction_row(row, format_prompt) for row in whole if not test.mentions_test_item(_text(row, *COLUMNS))]


def _text(row: Row, *columns: str) -> str:
    return "\n\n".join(str(row[column]) for column in columns if row.get(column))


def _instruction_row(row: Row, format_prompt: Chat) -> dict[str, str]:
    question = _text(row, "instruction", "input")
    prompt = format_prompt(question, "")
    gap = "" if prompt[-1].isspace() else "\n" if prompt == question else " "
    return {"prompt": prompt, "response": gap + _text(row, "output")}
