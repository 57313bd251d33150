"""Texts up to their last useful token, whose log-probability neuron attribution explains."""

from collections.abc import Sequence

from semalign.data.rows import Row
from semalign.models.loading import LanguageModel

Texts = list[tuple[int, ...]]
USELESS_ENDINGS = '." )\n,]'  # as in the published code


def useful_texts(rows: Sequence[Row], model: LanguageModel) -> Texts:
    """Return the token ids of each row up to the last useful token of its response.

    Trailing punctuation and white space (``USELESS_ENDINGS``) and the end-of-sequence token are removed. A response
    that consists of such characters only keeps them.

    Raises:
        ValueError: if no token comes before the last one, or a row is longer than the context.
    """
    stripped = [
        {"prompt": row["prompt"], "response": row["response"].rstrip(USELESS_ENDINGS) or row["response"]}
        for row in rows
    ]
    end = None if model.tokenizer.eos_token_id is None else -1
    texts = [example.input_ids[:end] for example in model.encode(stripped)]
    for number, ids in enumerate(texts, start=1):
        if len(ids) < 2:
            raise ValueError(f"row {number} has nothing before its last token: give it a prompt")
    return texts
