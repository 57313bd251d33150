"""Rows of messages: conversations that a chat template turns into prompt and response."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from semalign.data import chat_template

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import PreTrainedTokenizerBase

ROLES = ("system", "user", "assistant")


def check_messages(messages: Any) -> str:
    """Return what is wrong with the messages of a row, or an empty text.

    They are a list of dicts with ``role`` (one of :data:`ROLES`) and ``content`` (text); the last is the assistant's,
    and not empty.
    """
    if not isinstance(messages, list) or not messages or not all(isinstance(turn, Mapping) for turn in messages):
        return "'messages' must be a list of objects with 'role' and 'content'"
    for number, turn in enumerate(messages, start=1):
        if turn.get("role") not in ROLES:
            return f"message {number} has the role {turn.get('role')!r}: the roles are {', '.join(ROLES)}"
        if not isinstance(turn.get("content"), str):
            return f"message {number} must have a 'content' that is text, it is {str(turn.get('content'))[:60]!r}"
    if messages[-1]["role"] != "assistant":
        return f"the last message is of the {messages[-1]['role']}: it must be the assistant's, which is learned"
    return "" if messages[-1]["content"] else "the last message is empty: there is nothing to learn from it"


def rendered(rows: Sequence[Mapping[str, Any]], tokenizer: "PreTrainedTokenizerBase") -> list[dict[str, str]]:
    """Return rows of prompt and response, with conversations in the format of a tokenizer's chat template.

    The response is the last message with the end of the turn as the template writes it, up to its first special
    token. Rows that have a prompt and a response stay as they are.

    Raises:
        ValueError: for messages without a chat template, or that the template does not take; it names the row.
    """
    return [_rendered(f"row {number}", row, tokenizer) for number, row in enumerate(rows, start=1)]


def _rendered(place: str, row: Mapping[str, Any], tokenizer: "PreTrainedTokenizerBase") -> dict[str, str]:
    if "messages" not in row:
        return {"prompt": row["prompt"], "response": row["response"]}
    *before, answer = row["messages"]
    try:
        prompt, after = chat_template.around_answer(tokenizer, before)
        whole = chat_template.render(tokenizer, [dict(turn) for turn in row["messages"]])
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    if _spaced(prompt + answer["content"]) not in _spaced(whole):
        raise ValueError(
            f"{place}: the chat template changes the answer {answer['content'][:40]!r}, for example its reasoning: use "
            "rows of prompt and response"
        )
    begun = prompt.rstrip(" ")  # generation begins without the space, which the response has instead
    return {"prompt": begun, "response": prompt[len(begun) :] + answer["content"] + _end_of_turn(after, tokenizer)}


def _spaced(text: str) -> str:
    """Return a text without white space, which templates strip."""
    return "".join(text.split())


def _end_of_turn(after: str, tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return the text after an answer up to its first special token, nothing if there is none."""
    special = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    ends = [after.index(token) + len(token) for token in special if token and token in after]
    return after[: min(ends)] if ends else ""
