"""What ends an answer, and what is checked while it is generated."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria

from semalign.models.finite import check_logits

INCOMPLETE = "\ufffd"


class StopStrings(StoppingCriteria):
    """Stop each row of a batch once its generated text holds a stop string.

    lm-eval's own criterion stops a batch when *every* row holds the *same* stop string, and decodes the batch
    once for each of them. The text kept is the same: lm-eval cuts it at the first stop string afterwards.
    """

    def __init__(self, strings: list[str], tokenizer: PreTrainedTokenizerBase, prompt_length: int) -> None:
        self.strings, self.tokenizer, self.prompt_length = strings, tokenizer, prompt_length
        self.reach = reach(strings)
        self.done: set[int] = set()

    def __call__(self, input_ids: Int[Tensor, "rows tokens"], scores: Any, **kwargs: Any) -> Bool[Tensor, " rows"]:
        start = max(self.prompt_length, input_ids.shape[1] - self.reach)
        running = [row for row in range(len(input_ids)) if row not in self.done]
        texts = self.tokenizer.batch_decode(input_ids[running, start:])
        stopped = (any(string in text for string in self.strings) for text in texts)
        self.done.update(row for row, stop in zip(running, stopped, strict=True) if stop)
        return torch.tensor([row in self.done for row in range(len(input_ids))], device=input_ids.device)


class FiniteLogits(LogitsProcessor):
    """Leave logits as they are; ``ValueError`` for NaN, with which a model would give token 0 or any other."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def __call__(self, input_ids: Int[Tensor, "rows tokens"], scores: Float[Tensor, "rows v"]) -> Tensor:
        check_logits(scores, self.model, partial(self.model, input_ids))
        return scores


class Ends:
    """Says when an answer ends: at an end token, when it holds a stop string, or after so many tokens.

    Only a token that can be the last one of a stop string has the text before it read. Where a tokenizer writes a token
    otherwise between others than alone, an answer may end later; lm-eval cuts it at the stop string all the same.
    """

    def __init__(
        self, strings: Sequence[str], tokenizer: PreTrainedTokenizerBase, tokens: Iterable[int], most: int
    ) -> None:
        self.strings, self.tokenizer, self.tokens, self.most = list(strings), tokenizer, set(tokens), most
        self.reach = reach(strings)
        self._before = tokenizer.encode("\n", add_special_tokens=False)
        self._start = tokenizer.decode(self._before)
        self._may_end: dict[int, bool] = {}

    def __call__(self, answer: list[int]) -> bool:
        """Return whether an answer ends with its last token, given that it did not end before."""
        last = answer[-1]
        if last in self.tokens or len(answer) >= self.most:
            return True
        if last not in self._may_end:
            self._may_end[last] = self._completes(last)
        if not self._may_end[last]:
            return False
        text = self.tokenizer.decode(answer[-self.reach :])
        return any(string in text for string in self.strings)

    def _completes(self, token: int) -> bool:
        text = str(self.tokenizer.decode([*self._before, token])).removeprefix(str(self._start))
        if INCOMPLETE in text:  # some bytes of a character
            return True
        ends = (string[-n:] for string in self.strings for n in range(1, len(string)))
        return any(string in text for string in self.strings) or text.startswith(tuple(ends))


def reach(strings: Sequence[str]) -> int:
    """Return how many tokens may hold a stop string that ends with the last of them: a token has at least one byte."""
    return max((len(string.encode()) for string in strings), default=0)
