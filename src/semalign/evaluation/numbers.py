"""The number of an answer as open-instruct reads and compares it, for the score that stands beside ours.

GSM8K's own rule and lm-eval's are regular expressions of the task files. Open-instruct's (``eval/gsm/run_eval.py``) is
not: it compares without punctuation, so that 1.8 is 18 and -5 is 5.
"""

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from semalign.evaluation.code import reads

WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


@reads(answer="text")
def open_instruct(generations: Sequence[Sequence[str]], documents: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return for each answer the right number if open-instruct counts it as right, else the number that it reads.

    It is a custom filter of lm-eval, whose exact match then gives open-instruct's score.

    Args:
        generations: all samples of all items.
        documents: the items; their ``answer`` ends in the right number, after ``####`` if there is more.
    """
    targets = [_without_commas(document["answer"].rpartition("####")[2].strip()) for document in documents]
    pairs = zip(generations, targets, strict=True)
    return [[_compared(last_number(answer), target) for answer in answers] for answers, target in pairs]


def last_number(answer: str) -> str:
    """Return the last number of an answer, or the answer where there is none; only a decimal may have a sign."""
    text = _without_commas(answer)
    numbers = re.findall(r"[-+]?\d*\.\d+|\d+", text)
    return numbers[-1] if numbers else text


def same(prediction: str, target: str) -> bool:
    """Return whether two texts are the same but for punctuation and case."""
    return _plain(prediction) == _plain(target)


def _compared(prediction: str, target: str) -> str:
    return target if same(prediction, target) else prediction


def _plain(text: str) -> str:
    return text.lower().translate(WITHOUT_PUNCTUATION)


def _without_commas(text: str) -> str:
    return re.sub(r"(\d),(\d)", r"\1\2", text)
