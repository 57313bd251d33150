"""Render a tokenizer's chat template, which is a program that somebody else wrote."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from semalign.data.time_limit import time_limit
from semalign.data.tokens import Encoder

MARK = "ANSWER-BEGINS-HERE"
DATE = datetime(2024, 7, 26)
"""What templates get that ask for the date of today: the date that those of Llama 3 have where there is no clock.

With the date of the day, the same rows would be other texts on the next day.
"""

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import PreTrainedTokenizerBase


def render(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[Mapping[str, Any]], **options: Any) -> str:
    """Return the text of a conversation in the format of a tokenizer's chat template.

    Templates run in Jinja's sandbox, which keeps them from the machine but not from running for ever or failing. For
    them it is always :data:`DATE`.

    Args:
        tokenizer: a tokenizer with a chat template.
        turns: dicts with ``role`` and ``content``, and what else the template reads of a turn.
        **options: further arguments of ``apply_chat_template``, such as ``tools``.

    Raises:
        ValueError: if the template fails or does not end within five seconds of computation; it names the tokenizer.
    """
    what = f"the chat template of {tokenizer.name_or_path or type(tokenizer).__name__}"
    with time_limit(what):
        try:
            # An argument takes the place of transformers' own function of this name, which reads the clock.
            options = {"strftime_now": DATE.strftime, **options}
            return str(tokenizer.apply_chat_template([dict(turn) for turn in turns], tokenize=False, **options))
        except Exception as error:  # a template can raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(f"{what} fails ({reason}): use another chat format, or mend the template") from error


def around_answer(
    tokenizer: "PreTrainedTokenizerBase",
    turns: Sequence[Mapping[str, Any]],
    answer: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[str, str]:
    """Return what a tokenizer's chat template writes before and after the assistant's answer to some turns.

    The answer in the template is a placeholder, because templates strip white space from the ends of an answer.
    A beginning-of-sequence token that the tokenizer adds to every text is left out.

    Args:
        tokenizer: the tokenizer.
        turns: the turns before the answer.
        answer: the turn of the answer, for what it has besides its content.
        **options: see :func:`render`.

    Raises:
        ValueError: for a tokenizer without a template, or one that :func:`render` refuses or that leaves answers out.
    """
    if tokenizer.chat_template is None:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise ValueError(f"the tokenizer {name} has no chat template: give rows of prompt and response")
    text = render(tokenizer, [*turns, {"role": "assistant", **(answer or {}), "content": MARK}], **options)
    before, mark, after = text.rpartition(MARK)
    if not mark:
        raise ValueError("the chat template leaves out the last answer: use rows of prompt and response")
    adds_bos = tokenizer.bos_token_id is not None and Encoder(tokenizer).first.ids == [tokenizer.bos_token_id]
    return (before.removeprefix(str(tokenizer.bos_token)) if adds_bos else before), after
