"""Rows of messages: conversations that a chat template turns into prompt and response."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from semalign.data import chat_template
from semalign.data.columns import check_text

if TYPE_CHECKING:  # transformers takes seconds to import
    from transformers import PreTrainedTokenizerBase

ROLES = ("system", "user", "assistant", "tool")
NOT_LEARNED = ("reasoning_content", "reasoning", "thinking", "tool_calls")  # parts of an answer besides its content
CHOSEN = ("train", "weight")  # keys by which other libraries choose the messages to learn
MARK = "\N{REPLACEMENT CHARACTER}semalign"  # in place of what a tool gave, which may be nothing
Row = Mapping[str, Any]


def plain(value: Any) -> Any:
    """Return a value without keys that have null or NaN, as tables give for keys a row has not; arrays are lists."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items() if each is not None and not _nan(each)}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def _nan(value: Any) -> bool:
    return isinstance(value, float) and value != value


def check_messages(messages: Any) -> str:
    """Return what is wrong with the messages of a row, or an empty text.

    They are a list of dicts with ``role`` (one of :data:`ROLES`) and ``content`` (text), which may lack where there are
    ``tool_calls``; the last is the assistant's, and not empty. Its content is learned, and nothing else: what asks for
    more or less is wrong.
    """
    if not isinstance(messages, list) or not messages or not all(isinstance(turn, Mapping) for turn in messages):
        return "'messages' must be a list of objects with 'role' and 'content'"
    for number, turn in enumerate(messages, start=1):
        if problem := _wrong_turn(turn) or _wrong_choice(turn, last=number == len(messages)):
            return f"message {number} {problem}"
    *_, last = messages
    if last["role"] != "assistant":
        return f"the last message is of the {last['role']}: it must be the assistant's, which is learned"
    if parts := [key for key in NOT_LEARNED if last.get(key)]:
        return f"the last message has {parts[0]!r}, of which nothing is learned: use rows of prompt and response"
    return "" if last.get("content") else "the last message is empty: there is nothing to learn from it"


def _wrong_turn(turn: Row) -> str:
    if turn.get("role") not in ROLES:
        return f"has the role {turn.get('role')!r}: the roles are {', '.join(ROLES)}"
    if isinstance(turn.get("content"), str) or ("content" not in turn and turn.get("tool_calls")):
        return ""
    return f"must have a 'content' that is text, it is {str(turn.get('content'))[:60]!r}"


def _wrong_choice(turn: Row, last: bool) -> str:
    """Return what is wrong with the keys by which other libraries choose what is learned."""
    wrong = [f"{key!r}: {str(turn[key])[:20]}" for key in CHOSEN if key in turn and turn[key] != last]
    if not wrong:
        return ""
    how = "leave out the row, or the key" if last else "make a row that ends with this message, or leave out the key"
    return f"has {wrong[0]}, but the last message is learned, and no other: {how}"


def check_tools(tools: Any) -> str:
    """Return what is wrong with the tools of a row, or an empty text: they are a list of dicts, or nothing."""
    if not tools or (isinstance(tools, list) and all(isinstance(tool, Mapping) for tool in tools)):
        return ""
    return f"'tools' must be a list of objects that describe functions, it is {type(tools).__name__}"


def rendered(rows: Sequence[Row], tokenizer: "PreTrainedTokenizerBase") -> list[dict[str, str]]:
    """Return rows of prompt and response, with conversations in the format of a tokenizer's chat template.

    The response is the last message with the end of the turn as the template writes it, up to its first special
    token. The template gets all keys of the messages, and the row's ``tools``. Rows that have a prompt and a response
    stay as they are.

    Raises:
        ValueError: for messages without a chat template, or that the template does not take, or whose tools it does not
            write; it names the row.
    """
    return [_rendered(f"row {number}", row, tokenizer) for number, row in enumerate(rows, start=1)]


def _rendered(place: str, row: Row, tokenizer: "PreTrainedTokenizerBase") -> dict[str, str]:
    if row.get("messages") is None:
        return {"prompt": row["prompt"], "response": row["response"]}
    *before, answer = row["messages"]
    try:
        prompt, after = chat_template.around_answer(tokenizer, before, answer, tools=row.get("tools"))
        whole = _whole(row, tokenizer)
        _check_written(row, tokenizer, whole)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    check_text(place, whole)
    if _spaced(prompt + answer["content"]) not in _spaced(whole):
        raise ValueError(
            f"{place}: the chat template changes the answer {answer['content'][:40]!r}, for example its reasoning: use "
            "rows of prompt and response"
        )
    begun = prompt.rstrip(" ")  # generation begins without the space, which the response has instead
    return {"prompt": begun, "response": prompt[len(begun) :] + answer["content"] + _end_of_turn(after, tokenizer)}


def _whole(row: Row, tokenizer: "PreTrainedTokenizerBase") -> str:
    return chat_template.render(tokenizer, row["messages"], tools=row.get("tools"))


def _check_written(row: Row, tokenizer: "PreTrainedTokenizerBase", whole: str) -> None:
    """Raise ``ValueError`` if a template writes a row as if it had no tools: many know nothing of them."""
    for what, without in _without_tools(row):
        try:
            same = _whole(without, tokenizer) == whole
        except ValueError:  # the template misses them
            continue
        if same:
            raise ValueError(f"the chat template leaves out {what}: use rows of prompt and response, or leave them out")


def _without_tools(row: Row) -> Iterator[tuple[str, Row]]:
    """Yield what a row has of tools, each with the row without it."""
    turns = row["messages"]
    if row.get("tools"):
        yield "'tools'", {"messages": turns}
    if any(turn.get("tool_calls") for turn in turns):
        bare = [{"content": "", **{key: turn[key] for key in turn if key != "tool_calls"}} for turn in turns]
        yield "'tool_calls'", {**row, "messages": bare}
    if any(turn["role"] == "tool" for turn in turns):
        bare = [{**turn, "content": MARK} if turn["role"] == "tool" else turn for turn in turns]
        yield "messages of the role 'tool'", {**row, "messages": bare}


def _spaced(text: str) -> str:
    """Return a text without white space, which templates strip."""
    return "".join(text.split())


def _end_of_turn(after: str, tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return the text after an answer up to its first special token, nothing if there is none."""
    special = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    ends = [after.index(token) + len(token) for token in special if token and token in after]
    return after[: min(ends)] if ends else ""
