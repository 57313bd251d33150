"""From rows of prompt and response to token ids, supervised positions and padded batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from semalign.data.columns import place
from semalign.data.given_rows import checked_row, not_rows
from semalign.data.row_files import read_file
from semalign.data.tokens import Encoder

IGNORED = -100  # label of a position without supervision, as in transformers
Row = Mapping[str, str]


@dataclass(frozen=True)
class Example:
    """One encoded row.

    Attributes:
        input_ids: tokens of prompt, response and end-of-sequence.
        prompt_length: how many of them are the prompt's, split where generation splits the text.
        tokens: their token strings.
        ends: for each token, the character at which it ends in the text.
        added_end: whether the last token is an end-of-sequence token that the text does not have.
    """

    input_ids: tuple[int, ...]
    prompt_length: int
    tokens: tuple[str, ...]
    ends: tuple[int, ...]
    added_end: bool = False

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.input_ids)

    def positions(self, which: str = "response") -> range:
        """Return positions whose next token is supervised: those that predict the response, or ``all``.

        With ``read``, those of every token of the text, which need no next one.
        """
        if which == "read":
            return range(len(self) - self.added_end)
        return range(self.prompt_length - 1 if which == "response" and self.prompt_length else 0, len(self) - 1)

    @cached_property
    def last_token_at(self) -> dict[int, int]:
        """For each character position where a token ends, the last token that ends there."""
        return {end: i for i, end in enumerate(self.ends)}


def read_rows(data: str | Path | Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the keys ``prompt`` and ``response``, from a file, a ``datasets`` Dataset or a list.

    A row may have ``messages`` instead, and ``tools``: a conversation that :func:`semalign.data.messages.rendered`
    turns into prompt and response once the model is known.

    Args:
        data: rows, or the path of a file of them; see :func:`semalign.data.row_files.read_file`.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: for what is no rows, such as a ``DatasetDict``, for an empty data set, or for a row that
            :func:`semalign.data.given_rows.checked_row` refuses; it names the row.
    """
    if problem := not_rows(data):
        raise ValueError(f"rows are a file, a list or a Dataset of prompts and responses, not {problem}")
    rows = read_file(data) if isinstance(data, str | Path) else data
    checked = [checked_row(place(rows, i), row) for i, row in enumerate(rows)]
    if not checked:
        raise ValueError("the data set is empty: give at least one row with a prompt and a response")
    return checked


def encode(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase | Encoder, max_length: int) -> list[Example]:
    """Return encoded rows, each ended by the end-of-sequence token if the tokenizer has one.

    The prompt keeps exactly the tokens that it has alone, which is how generation meets it. Prompt and response decode
    to the row's text; see :class:`semalign.data.tokens.Encoder`. An empty response is one of a text that is only read.

    Args:
        rows: rows of prompt and response.
        tokenizer: the model's tokenizer, or an encoder, which also knows how many embeddings the model has.
        max_length: the model's context.

    Raises:
        ValueError: for a row that cannot be encoded, that has no token to learn or a token without an embedding, or
            that is longer than the context; it is never cut.
    """
    encoder = tokenizer if isinstance(tokenizer, Encoder) else Encoder(tokenizer)
    return [_encode_row(encoder, row, f"row {number}", max_length) for number, row in enumerate(rows, start=1)]


def _encode_row(encoder: Encoder, row: Row, place: str, max_length: int) -> Example:
    text = row["prompt"] + row["response"]
    try:
        start, rest = encoder.pair(row["prompt"], row["response"])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    whole = start + rest
    ids, ends = encoder.ended(whole, len(text) + 1)
    tokens = encoder.tokenizer.convert_ids_to_tokens(ids)
    example = Example(tuple(ids), len(start.ids), tuple(tokens), tuple(ends), added_end=len(ids) > len(whole.ids))
    if row["response"] and not (rest.ids and example.positions()):
        raise ValueError(
            f"{place} has nothing to learn: no token of its response {row['response'][:40]!r} stands after another"
        )
    if len(example) > max_length:
        raise ValueError(
            f"{place} has {len(example)} tokens (prompt {example.prompt_length}), more than the context of "
            f"{max_length}: shorten or drop it; nothing is truncated silently"
        )
    return example


class Matched(NamedTuple):
    """Positions of one row at which teacher and student have read the same text; the i-th of both belong together."""

    teacher: list[int]
    student: list[int]


def matching_positions(teacher: Example, student: Example, which: str = "response") -> Matched:
    """Return the positions of the student that have a counterpart in the teacher's encoding.

    Equal tokens match one to one. Where two tokenizers cut the text differently, the positions at which both
    end a token at the same character match; the student's other positions have no target.

    Args:
        teacher: the teacher's encoding of a row.
        student: the student's encoding of the same row.
        which: ``response``, ``all`` or ``read``, see :meth:`Example.positions`.

    Raises:
        ValueError: if the tokens differ and a tokenizer cannot say where its tokens end (a slow tokenizer).
    """
    positions = list(student.positions(which))
    if student.tokens == teacher.tokens:
        return Matched(positions, positions)
    if -1 in student.ends or -1 in teacher.ends:
        raise ValueError("teacher and student cut the text differently; to align them both need a fast tokenizer")
    pairs = [
        (teacher.last_token_at[student.ends[i]], i)
        for i in positions
        if student.ends[i] in teacher.last_token_at and student.last_token_at[student.ends[i]] == i
    ]
    return Matched([j for j, _ in pairs], [i for _, i in pairs])


def pad(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Return ``(input_ids, attention_mask)``, each of shape (batch, tokens), padded with zeros on the right."""
    input_ids = torch.zeros(len(examples), max(map(len, examples)), dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    for i, example in enumerate(examples):
        input_ids[i, : len(example)] = torch.tensor(example.input_ids)
        attention_mask[i, : len(example)] = 1
    return input_ids, attention_mask


def batches(examples: Sequence[Example], batch_size: int) -> Iterator[dict[str, Tensor]]:
    """Yield padded batches with ``input_ids``, ``attention_mask`` and ``labels`` (-100 outside the response)."""
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        input_ids, attention_mask = pad(part)
        labels = input_ids.masked_fill(attention_mask == 0, IGNORED)
        for i, example in enumerate(part):
            labels[i, : example.prompt_length] = IGNORED
        yield {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
