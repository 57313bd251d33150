"""Rows to train on for each benchmark: its own training split, or other data without what its test holds.

A task file says in ``metadata.training`` what is not simply the split ``train``: other splits, less every item that
also stands in the test split (MMLU), or a code-instruction set, less every item that gives an item of the test away
(HumanEval, which has no training split).
"""

import ast
import random
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from semalign.data import tasks as benchmarks
from semalign.data.chat import Chat, chat_format
from semalign.data.sources import Row, dataset_rows, first

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COLUMNS = ("instruction", "input", "output")
SHORTEST_DESCRIPTION = 30  # characters; a shorter one says too little to recognise an item by


def rows(
    task: str,
    limit: int | None = None,
    dataset: str | None = None,
    *,
    chat: str | None = None,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
) -> list[dict[str, str]]:
    """Return training rows of a task, ``{"prompt", "response"}``, in the chat format of its evaluation.

    Args:
        task: one of :func:`semalign.data.tasks.task_names`.
        limit: the first rows only.
        dataset: instruction data in place of those that the task file names.
        chat: see :func:`semalign.data.chat.chat_format`; None: as the task file says.
        tokenizer: for ``chat="model"``.

    Raises:
        ValueError: for an unknown task, fewer rows than ``limit``, instruction data without the columns for them, or a
            data set for a task that trains on its own.
        FileNotFoundError: if neither a data root nor the hub has the data, or the test split to hold them against.
    """
    training = benchmarks.metadata(task).get("training", {})
    if dataset and "dataset" not in training:
        raise ValueError(f"{task} trains on its own data, not on {dataset!r}: leave out training_data")
    if "splits" in training:
        found = _own_rows(task, training["splits"], chat, tokenizer)
    elif "dataset" in training:
        format_prompt = chat_format(benchmarks.chat_name(task, chat), tokenizer)
        found = _instruction_rows(task, dataset or training["dataset"], format_prompt)
    else:
        found = benchmarks.rows(task, "train", limit, chat=chat, tokenizer=tokenizer)
    if limit is not None and len(found) < limit and training:
        raise ValueError(f"{task} has {len(found)} training rows, fewer than {limit}: ask for no more")
    return first(found, limit)


def _own_rows(
    task: str, splits: list[str], chat: str | None, tokenizer: "PreTrainedTokenizerBase | None"
) -> list[dict[str, str]]:
    """Rows of several splits that are not in the test split, shuffled, since such data are ordered by subject."""
    tested = {question_key(document) for document in benchmarks.documents(task, "test")}
    kept: dict[tuple[str, ...], dict[str, str]] = {}
    for split in splits:
        made = benchmarks.rows(task, split, chat=chat, tokenizer=tokenizer)
        for document, row in zip(benchmarks.documents(task, split), made, strict=True):
            if (key := question_key(document)) not in tested:
                kept.setdefault(key, row)
    shuffled = list(kept.values())
    random.Random(0).shuffle(shuffled)
    return shuffled


def question_key(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what two multiple-choice items share that ask the same: words of question and choices in any order."""
    return normal(document["question"]), *sorted(normal(choice) for choice in document["choices"])


def _instruction_rows(task: str, dataset: str, format_prompt: Chat) -> list[dict[str, str]]:
    gives_away = hint_of(benchmarks.documents(task, "test"))
    found = dataset_rows(dataset, None, "train")
    if missing := set(COLUMNS) - found[0].keys() - {"input"}:
        raise ValueError(f"{dataset} has no column {', '.join(sorted(missing))}: rows need instruction, input, output")
    kept = (row for row in found if _text(row, "output").strip() and not gives_away(_text(row, *COLUMNS)))
    return [_instruction_row(row, format_prompt) for row in kept]


def _text(row: Row, *columns: str) -> str:
    return "\n\n".join(str(row[column]) for column in columns if row.get(column))


def _instruction_row(row: Row, format_prompt: Chat) -> dict[str, str]:
    question = _text(row, "instruction", "input")
    prompt = format_prompt(question, "")
    gap = "" if prompt[-1].isspace() else "\n" if prompt == question else " "
    return {"prompt": prompt, "response": gap + _text(row, "output")}


def hint_of(documents: list[Row]) -> Callable[[str], bool]:
    """Return the function that says whether a text holds the prompt or the entry point of a HumanEval item.

    Of a prompt, what its docstring says before the examples is enough. An entry point is held by a text that defines or
    calls it; one whose name has an underscore, and so is no English word, also by one that only names it.
    """
    names = sorted({document["entry_point"] for document in documents}, key=len, reverse=True)
    ways = (rf"(?<![\w.]){re.escape(name)}" + (r"\b" if "_" in name else r"\s*\(") for name in names)
    name_pattern = re.compile("|".join(ways))
    descriptions = {normal(text) for document in documents if (text := _description(document["prompt"]))}
    told = [text for text in descriptions if len(text) >= SHORTEST_DESCRIPTION]

    def gives_away(text: str) -> bool:
        plain = normal(text)
        return bool(name_pattern.search(text)) or any(each in plain for each in told)

    return gives_away


def _description(prompt: str) -> str:
    """What the docstring of the last function of a HumanEval prompt says, without its examples."""
    functions = [node for node in ast.parse(prompt).body if isinstance(node, ast.FunctionDef)]
    text = ast.get_docstring(functions[-1]) or "" if functions else ""
    return re.split(r">>>|\b(?:For )?[Ee]xamples?\b", text)[0].strip()


def normal(text: str) -> str:
    """Return a text in lower case, with single spaces."""
    return " ".join(text.casefold().split())
