"""A cache of keys and values that is not copied for each token, and whose rows come and go."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

States = Float[Tensor, "rows heads tokens d_head"]
ROOM = 64  # tokens by which rows that were put together can grow before the buffer doubles


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
        return self._view(end)

    def gather(self, parts: Sequence[tuple["RoomyLayer", Int[Tensor, " rows"]]], width: int) -> None:
        """Hold some rows of other layers, with their last ``width`` tokens, aligned on the right; zeros fill up."""
        keys = [(layer.keys, rows) for layer, rows in parts if layer.keys is not None]
        values = [(layer.values, rows) for layer, rows in parts if layer.values is not None]
        self.lazy_initialization(keys[0][0], values[0][0])
        self._key_buffer, self._value_buffer = _gathered(keys, width), _gathered(values, width)
        self._view(width)

    def _view(self, end: int) -> tuple[Tensor, Tensor]:
        assert self._key_buffer is not None and self._value_buffer is not None
        self.keys, self.values = found = self._key_buffer[..., :end, :], self._value_buffer[..., :end, :]
        return found


def _put(buffer: Tensor | None, states: Tensor, start: int, end: int) -> Tensor:
    if buffer is None or buffer.shape[-2] < end:
        larger = states.new_empty((*states.shape[:-2], 2 * end, states.shape[-1]))
        if buffer is not None:
            larger[..., :start, :] = buffer[..., :start, :]
        buffer = larger
    buffer[..., start:end, :] = states
    return buffer


def _gathered(parts: Sequence[tuple[Tensor, Tensor]], width: int) -> Tensor:
    states = parts[0][0]
    rows = sum(len(chosen) for _, chosen in parts)
    buffer = states.new_empty((rows, states.shape[1], width + ROOM, states.shape[3]))
    begin = 0
    for states, chosen in parts:
        end, tokens = begin + len(chosen), min(states.shape[2], width)
        buffer[begin:end, :, : width - tokens] = 0  # masked, but what is there must be finite
        buffer[begin:end, :, width - tokens : width] = states[chosen, :, -tokens:]
        begin = end
    return buffer


def roomy_cache(config: PreTrainedConfig) -> DynamicCache:
    """Return the cache that transformers would make for a model, with roomy layers for its plain ones."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def is_plain(config: PreTrainedConfig) -> bool:
    """Return whether all layers of a model keep the keys and values of all tokens, and nothing else."""
    layers = DynamicCache(config=config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def joined(parts: Sequence[tuple[DynamicCache, Sequence[int]]], width: int, config: PreTrainedConfig) -> DynamicCache:
    """Return a cache with some rows of several caches.

    Args:
        parts: caches with roomy layers, each with the rows that are kept of it.
        width: how many tokens are kept of each row, the last ones.
        config: of the model.
    """
    cache = roomy_cache(config)
    layers: list[Any] = cache.layers
    for index, layer in enumerate(layers):
        layer.gather([(part.layers[index], torch.tensor(rows)) for part, rows in parts], width)
    return cache
