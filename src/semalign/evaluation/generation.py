"""Batched generation with transformers: rows that stop one by one, and a cache that is not copied for each token."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import (
    DynamicCache,
    LogitsProcessor,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
)
from transformers.cache_utils import DynamicLayer

from semalign.models.finite import check_logits

States = Float[Tensor, "rows heads tokens d_head"]


class StopStrings(StoppingCriteria):
    """Stop each row of a batch once its generated text holds a stop string.

    lm-eval's own criterion stops a batch when *every* row holds the *same* stop string, and decodes the batch
    once for each of them. The text kept is the same: lm-eval cuts it at the first stop string afterwards.
    """

    def __init__(self, strings: list[str], tokenizer: PreTrainedTokenizerBase, prompt_length: int) -> None:
        self.strings, self.tokenizer, self.prompt_length = strings, tokenizer, prompt_length
        # A token has at least one byte, so a stop string that ends with the last token lies within so many tokens.
        self.reach = max(len(string.encode()) for string in strings)
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


class RoomyLayer(DynamicLayer):
    """Keys and values in buffers that double when full; the base class copies them all for each token."""

    _key_buffer: Tensor | None = None
    _value_buffer: Tensor | None = None

    def update(self, key_states: States, value_states: States, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        # The buffers are (rows, heads, room, d_head); the layer's keys and values are views of what is filled.
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        self._key_buffer = _put(self._key_buffer, key_states, start, end)
        self._value_buffer = _put(self._value_buffer, value_states, start, end)
        self.keys, self.values = self._key_buffer[..., :end, :], self._value_buffer[..., :end, :]
        return self.keys, self.values


def _put(buffer: Tensor | None, states: Tensor, start: int, end: int) -> Tensor:
    if buffer is None or buffer.shape[-2] < end:
        larger = states.new_empty((*states.shape[:-2], 2 * end, states.shape[-1]))
        if buffer is not None:
            larger[..., :start, :] = buffer[..., :start, :]
        buffer = larger
    buffer[..., start:end, :] = states
    return buffer


def roomy_cache(config: PreTrainedConfig) -> DynamicCache:
    """Return the cache that transformers would make for a model, with roomy layers for its plain ones."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
