"""A cache with room to grow, whose rows come and go, against what transformers does."""

import pytest
import torch
from helpers.models import make_llama
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from semalign.evaluation.cache import RoomyLayer, is_plain, joined, roomy_cache


@pytest.mark.parametrize("lengths", [[1, 1, 1], [5, 1, 1, 1, 1, 1, 1, 7, 1], [3, 3, 1]])
def test_keys_and_values_are_those_of_the_plain_cache(lengths):
    generator = torch.Generator().manual_seed(0)
    roomy, plain = RoomyLayer(), DynamicLayer()
    for length in lengths:
        keys, values = torch.randn(2, 2, 3, length, 4, generator=generator)
        for ours, theirs in zip(roomy.update(keys, values), plain.update(keys, values), strict=True):
            assert torch.equal(ours, theirs)
    assert roomy.get_seq_length() == plain.get_seq_length() == sum(lengths)


def test_a_buffer_is_kept_until_it_is_full():
    layer = RoomyLayer()
    places = []
    for _ in range(7):
        keys, _ = layer.update(*torch.zeros(2, 1, 1, 1, 4))
        places.append(keys.data_ptr())
    assert len(set(places[:2])) == len(set(places[2:6])) == 1  # room for 2, then 6
    assert len(set(places)) == 3


def test_the_cache_has_roomy_layers_for_plain_ones_only():
    model = make_llama(64, 12, 3, seed=0)
    assert [type(layer) for layer in roomy_cache(model.config).layers] == [RoomyLayer] * 3
    model.config.sliding_window, model.config.layer_types = 4, ["full_attention", "sliding_attention", "full_attention"]
    theirs = DynamicCache(config=model.config).layers[1]
    first, window, last = roomy_cache(model.config).layers
    assert type(first) is type(last) is RoomyLayer and type(window) is type(theirs) is not DynamicLayer


def test_a_model_is_plain_if_all_its_layers_are():
    model = make_llama(64, 12, 3, seed=0)
    assert is_plain(model.config)
    model.config.sliding_window, model.config.layer_types = 4, ["full_attention", "sliding_attention", "full_attention"]
    assert not is_plain(model.config)


def filled(config, rows, tokens, seed):
    """Return a cache of random keys and values for each layer, and these."""
    cache, generator = roomy_cache(config), torch.Generator().manual_seed(seed)
    states = torch.randn(len(cache.layers), 2, rows, 2, tokens, 4, generator=generator)
    for layer, (keys, values) in zip(cache.layers, states, strict=True):
        layer.update(keys, values)
    return cache, states


def test_rows_of_two_caches_are_aligned_on_the_right():
    config = make_llama(64, 12, 2, seed=0).config
    (long, first), (short, second) = filled(config, 3, 7, 0), filled(config, 2, 4, 1)
    cache = joined([(long, [2, 0]), (short, [1])], 5, config)
    assert cache.get_seq_length() == 5
    for index, layer in enumerate(cache.layers):
        for found, of_long, of_short in zip((layer.keys, layer.values), first[index], second[index], strict=True):
            assert torch.equal(found[:2], of_long[[2, 0], :, -5:])
            assert torch.equal(found[2, :, 1:], of_short[1]) and not found[2, :, 0].any()


def test_a_joined_cache_grows_and_leaves_its_sources_as_they_are():
    config = make_llama(64, 12, 1, seed=0).config
    source, states = filled(config, 2, 3, 0)
    layer = joined([(source, [1])], 3, config).layers[0]
    for _ in range(70):  # beyond its room
        keys, _ = layer.update(*torch.ones(2, 1, 2, 1, 4))
    assert keys.shape == (1, 2, 73, 4) and torch.equal(keys[0, :, :3], states[0, 0, 1])
    assert torch.equal(source.layers[0].keys, states[0, 0])
