"""Tokens of prompt and response of rows: counted by encoding them, else estimated from their characters."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from transformers import PreTrainedTokenizerBase

from semalign.data.rows import Row, encode
from semalign.models.pretrained import load_tokenizer
from semalign.planning.shapes import configured_folder

CHARACTERS = 3.2  # of English or code in a token of Llama 2, on the low side
ENCODED = 4000  # rows, at most, that are all encoded, which takes about two seconds
SAMPLE = 500  # rows of more than these that are encoded for the characters of a token
ANY_LENGTH = 10**9


class Known(StrEnum):
    """How the lengths of texts are known, as a plan says it."""

    COUNTED = "counted"
    ESTIMATED = "estimated"
    ASSUMED = "assumed"


class Lengths(NamedTuple):
    """Tokens of prompt and response of rows, without the end of sequence, and how they are known.

    Attributes:
        each: a row of two numbers for each text.
        known: how.
        how: more about it, for an estimate; else empty.
    """

    each: Int[np.ndarray, "rows 2"]
    known: Known
    how: str = ""


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerBase | None:
    """Return the tokenizer of a model that is on this machine, else None."""
    folder = configured_folder(name)
    if folder is None:
        return None
    try:
        return load_tokenizer(folder)
    except (OSError, ValueError):
        return None


def lengths_of(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase | None) -> Lengths:
    """Return the lengths of rows for a model.

    They are counted by encoding the rows as training does. Of more than :data:`ENCODED` rows, lengths are estimated:
    an even sample of :data:`SAMPLE` rows is encoded, and a token of a prompt, and one of a response, has as many
    characters as in the sample. Without a tokenizer, or if it cannot encode a row, a token has :data:`CHARACTERS`.

    Args:
        rows: rows of prompt and response.
        tokenizer: the tokenizer of the model; None: it is not known.
    """
    guess = _estimated(rows, np.full(2, 1 / CHARACTERS), f"{CHARACTERS} characters a token")
    if tokenizer is None:
        return guess
    sample = rows if len(rows) <= ENCODED else rows[:: -(-len(rows) // SAMPLE)]
    try:
        tokens = counted(sample, tokenizer)
    except ValueError:
        return guess._replace(how=f"{guess.how}, since the tokenizer cannot encode every row")
    if len(sample) == len(rows):
        return Lengths(tokens, Known.COUNTED)
    rates = tokens.sum(0) / np.maximum(1, _characters(sample).sum(0))
    return _estimated(rows, rates, f"from their characters, by the tokens of {len(sample)} of {len(rows)} rows")


def counted(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase) -> Int[np.ndarray, "rows 2"]:
    """Return the tokens of prompt and response of each row: those not supervised, and one less than those that are.

    A row of ``p + r + 1`` tokens has ``r + 1`` supervised positions; the last is that of the end.

    Raises:
        ValueError: for a row that cannot be encoded; see :func:`semalign.data.rows.encode`.
    """
    examples = encode(rows, tokenizer, ANY_LENGTH)
    supervised = [len(example.positions()) for example in examples]
    both = [(len(example) - n, n - 1) for example, n in zip(examples, supervised, strict=True)]
    return np.array(both, dtype=np.int64).reshape(-1, 2)


def _estimated(rows: Sequence[Row], rates: Float[np.ndarray, " 2"], how: str) -> Lengths:
    """Return lengths from the characters of rows, by the tokens of a character of the prompt and of the response."""
    tokens = np.maximum(1, np.rint(_characters(rows) * rates)).astype(np.int64)
    return Lengths(tokens, Known.ESTIMATED, how)


def _characters(rows: Sequence[Row]) -> Int[np.ndarray, "rows 2"]:
    both = [(len(row["prompt"]), len(row["response"])) for row in rows]
    return np.array(both, dtype=np.int64).reshape(-1, 2)
