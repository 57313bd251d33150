"""Texts up to their last useful token: the one whose log-probability neuron attribution explains."""

from collections.abc import Sequence

from semalign.data.rows import Row, encode
from semalign.models.loading import LanguageModel

Texts = list[tuple[int, ...]]
USELESS_ENDINGS = '." )\n,]'  # the published code's


def useful_texts(rows: Sequence[Row], model: LanguageModel) -> Texts:
    """Return the token ids of each row, cut behind the last useful token of its response.

    Full stops, brackets and such at the end are left out, and so is the end-of-sequence token; a response of nothing
    else keeps its characters.

    Raises:
        ValueError: if no token comes before the last one, or a row is longer than the context.
    """
    stripped = [
        {"prompt": row["prompt"], "response": row["response"].rstrip(USELESS_ENDINGS) or row["response"]}
        for row in rows
    ]
    end = None if model.tokenizer.eos_token_id is None else -1
    texts = [example.input_ids[:end] for example in encode(stripped, model.tokenizer, model.context_length)]
    for number, ids in enumerate(texts, start=1):
        if len(ids) < 2:
            raise ValueError(f"row {number} has nothing before its last token: give it a prompt")
    return texts
