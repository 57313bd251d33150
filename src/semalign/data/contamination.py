"""Which training rows would show a model the items that it is tested on."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semalign.data.columns import check_columns
from semalign.data.row_files import Row

READER = "the filter that keeps test items out of training"
SHORTEST_DESCRIPTION = 30  # characters; a shorter description says too little to recognise an item by


@dataclass(frozen=True)
class ContaminationFilter:
    """Recognises texts that mention an item of HumanEval's test split.

    Attributes:
        names: matches an entry point. A text mentions an entry point if it defines or calls the function. A name with
            an underscore is no English word, so there the bare name is enough.
        descriptions: what the docstrings say before their examples, normalised.
    """

    names: re.Pattern[str]
    descriptions: tuple[str, ...]

    @classmethod
    def of(cls, items: Sequence[Row]) -> "ContaminationFilter":
        """Return the filter for some test items, which have the columns ``prompt`` and ``entry_point``.

        Raises:
            ValueError: if they have not, or a prompt is no Python.
        """
        check_columns(items, {"prompt": "text", "entry_point": "name"}, READER)
        # Longer names first: a name may be the beginning of another.
        names = sorted({item["entry_point"] for item in items}, key=len, reverse=True)
        patterns = (rf"(?<![\w.]){re.escape(name)}" + (r"\b" if "_" in name else r"\s*\(") for name in names)
        descriptions = {normalised(_description(item["prompt"])) for item in items}
        telling = tuple(text for text in descriptions if len(text) >= SHORTEST_DESCRIPTION)
        return cls(re.compile("|".join(patterns)), telling)

    def mentions_test_item(self, text: str) -> bool:
        """Return whether a text holds the description or the entry point of an item."""
        plain = normalised(text)
        return bool(self.names.search(text)) or any(description in plain for description in self.descriptions)


def question_key(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what two multiple-choice items share that ask the same: question, and choices in any order."""
    return normalised(item["question"]), *sorted(normalised(choice) for choice in item["choices"])


def _description(prompt: str) -> str:
    """Return what the docstring of the last function of a HumanEval prompt says, without its examples."""
    try:
        functions = [node for node in ast.parse(prompt).body if isinstance(node, ast.FunctionDef)]
    except SyntaxError as error:
        raise ValueError(f"the prompt of a test item is no Python ({error.msg}): {prompt[:60]!r}") from error
    text = ast.get_docstring(functions[-1]) or "" if functions else ""
    return re.split(r">>>|\b(?:For )?[Ee]xamples?\b", text)[0].strip()


def normalised(text: str) -> str:
    """Return a text in lower case, with single spaces."""
    return " ".join(text.casefold().split())
