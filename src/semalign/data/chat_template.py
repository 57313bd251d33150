"""Render a tokenizer's chat template, which is a program that somebody else wrote."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from semalign.data.time_limit import time_limit

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
        ValueError: if the template fails or does not end within five seconds; it names the tokenizer.
    """
    what = f"the chat template of {tokenizer.name_or_path or type(tokenizer).__name__}"
    with time_limit(what):
        try:
            return str(tokenizer.apply_chat_template(list(turns), tokenize=False, **options))
        except Exception as error:  # a template can raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ValueError(f"{what} fails ({reason}): use another chat format, or mend the template") from error
