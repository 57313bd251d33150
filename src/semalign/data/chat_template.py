"""Render a tokenizer's chat template, which is a program that somebody else wrote."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from semalign.data.time_limit import time_limit
from semalign.data.tokens import Encoder

MARK = "ANSWER-BEGINS-HERE"

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import PreTrainedTokenizerBase


def render(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[dict[str, str]], **options: Any) -> str:
    """Return the text of a conversation in the format of a tokenizer's chat template.

    Templates run in Jinja's sandbox, which keeps them from the machine but not from running for ever or failing.

    Args:
        tokenizer: a tokenizer with a chat template.
        turns: dicts with ``role`` and ``content``.
        **options: further arguments of ``apply_chat_template``, such as ``add_generation_prompt``.

    Raises:
        ValueError: if the template fails or does not end within five seconds of computation; it names the tokenizer.
    """
    what = f"the chat template of {tokenizer.name_or_path or type(tokenizer).__name__}"
    with time_limit(what):
        try:
            return str(tokenizer.apply_chat_template(list(turns), tokenize=False, **options))
        except Exception as error:  # a template can raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(f"{what} fails ({reason}): use another chat format, or mend the template") from error


def around_answer(tokenizer: "PreTrainedTokenizerBase", turns: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """Return what a tokenizer's chat template writes before and after the assistant's answer to some turns.

    The answer in the template is a placeholder, because templates strip white space from the ends of an answer.
    A beginning-of-sequence token that the tokenizer adds to every text is left out.

    Raises:
        ValueError: for a tokenizer without a template, or one that :func:`render` refuses or that leaves answers out.
    """
    if tokenizer.chat_template is None:
        name = tokenizer.name_or_path or type(tokenizer).__name__
        raise ValueError(f"the tokenizer {name} has no chat template: give rows of prompt and response")
    text = render(tokenizer, [*map(dict, turns), {"role": "assistant", "content": MARK}])
    before, mark, after = text.rpartition(MARK)
    if not mark:
        raise ValueError("the chat template leaves out the last answer: use rows of prompt and response")
    adds_bos = tokenizer.bos_token_id is not None and Encoder(tokenizer).first.ids == [tokenizer.bos_token_id]
    return (before.removeprefix(str(tokenizer.bos_token)) if adds_bos else before), after
