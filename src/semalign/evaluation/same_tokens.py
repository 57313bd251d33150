"""The texts of an evaluation as the tokens that training gives them, for any of lm-eval's model classes."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Int
from lm_eval.api.model import TemplateLM
from torch import Tensor

from semalign.data.tokens import Encoder


class SameTokens(TemplateLM):
    """Mixin, in front of a class of lm-eval with a ``tokenizer``: texts are encoded by :class:`Encoder`.

    lm-eval itself moves white space at the end of a context to the continuation, and cuts the tokens of both where the
    context alone has its last.
    """

    tokenizer: Any

    @property
    def embeddings(self) -> int | None:
        """Number of the model's embeddings, None if it is not known."""
        return None

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the model's tokenizer."""
        return Encoder(self.tokenizer, self.embeddings)

    def tok_encode(self, string: Any, add_special_tokens: bool | None = None, **options: Any) -> list[Any]:
        """Return the token ids of a prompt, or of each of several; ``left_truncate_len`` keeps the last ones."""
        if not isinstance(string, str):
            return [self.tok_encode(each, add_special_tokens, **options) for each in string]
        encoded = self.encoder.body(string) if add_special_tokens is False else self.encoder.prompt(string)
        return encoded.ids[-(options.get("left_truncate_len") or 0) :]  # 0: all

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        start, rest = self.encoder.pair(context, continuation)
        return start.ids, rest.ids


def padded(rows: Sequence[Sequence[int]], filler: int) -> tuple[Int[Tensor, "rows tokens"], Int[Tensor, "rows tokens"]]:
    """Return token ids padded on the left, and the attention mask."""
    width = max(map(len, rows))
    ids = torch.tensor([[*[filler] * (width - len(row)), *row] for row in rows])
    return ids, torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
