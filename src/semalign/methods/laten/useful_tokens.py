"""Texts up to their last useful token, whose log-probability neuron attribution explains."""

from collections.abc import Sequence

from semalign.data.rows import Row
from semalign.models.loading import LanguageModel

Texts = list[tuple[int, ...]]
USELESS_ENDINGS = '." )\n,]'  # as in the published code


def useful_texts(rows: Sequence[Row], model: LanguageModel) -> Texts:
    """Return the token ids of each row up to the last useful token of its response.

    Trailing punctuation and white space (``USELESS_ENDINGS``) and special tokens, such as the end of a turn, are
    removed. A response that consists of these only keeps them.

    Raises:
        ValueError: if no token comes before the last one, or a row is longer than the context.
    """
    special = tuple(token.content for token in model.tokenizer.added_tokens_decoder.values() if token.special)
    stripped = [{"prompt": row["prompt"], "response": _useful(row["response"], special)} for row in rows]
    end = None if model.tokenizer.eos_token_id is None else -1
    texts = [example.input_ids[:end] for example in model.encode(stripped)]
    for number, ids in enumerate(texts, start=1):
        if len(ids) < 2:
            raise ValueError(f"row {number} has nothing before its last token: give it a prompt")
    return texts


def _useful(response: str, special: Sequence[str]) -> str:
    """Return a response without its useless end; the response itself if nothing else is in it."""
    text, before = response, ""
    while text != before:
        before, text = text, text.rstrip(USELESS_ENDINGS)
        text = next((text.removesuffix(token) for token in special if token and text.endswith(token)), text)
    return text or response
