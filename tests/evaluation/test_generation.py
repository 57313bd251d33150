"""Rows that stop one by one, and a cache with room to grow, against what transformers does."""

import pytest
import torch
from helpers.models import make_llama
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from semalign.evaluation.generation import RoomyLayer, StopStrings, roomy_cache


def stopped(criterion, tokenizer, *texts):
    return criterion(torch.tensor([tokenizer(text).input_ids for text in texts]), None).tolist()


def test_each_row_stops_at_any_stop_string_and_stays_stopped(tokenizer):
    criterion = StopStrings(["\n\n", "#"], tokenizer, prompt_length=3)
    assert stopped(criterion, tokenizer, "ab:c", "ab:c", "ab:c") == [False, False, False]
    assert stopped(criterion, tokenizer, "ab:c#", "ab:c\n", "ab:cd") == [True, False, False]
    assert stopped(criterion, tokenizer, "ab:c#d", "ab:c\n\n", "ab:cde") == [True, True, False]
    assert stopped(criterion, tokenizer, "ab:c#ddd", "ab:c\n\nfg", "ab:cdefg") == [True, True, False]


def test_a_stop_string_in_the_prompt_stops_nothing(tokenizer):
    criterion = StopStrings(["##"], tokenizer, prompt_length=3)
    assert stopped(criterion, tokenizer, "a##") == [False]
    assert stopped(criterion, tokenizer, "a###") == [False]  # one of the two is the prompt's
    assert stopped(criterion, tokenizer, "a####") == [True]


def test_only_as_many_tokens_are_read_as_the_longest_stop_string_has_bytes(tokenizer, monkeypatch):
    read = []
    decode = tokenizer.batch_decode
    monkeypatch.setattr(tokenizer, "batch_decode", lambda ids: read.append(tuple(ids.shape)) or decode(ids))
    criterion = StopStrings(["#", "+++"], tokenizer, prompt_length=2)
    assert stopped(criterion, tokenizer, "ab" + 20 * "c" + "+++", "ab" + 23 * "c") == [True, False]
    assert stopped(criterion, tokenizer, "ab" + 24 * "c", "ab" + 24 * "c") == [True, False]
    assert read == [(2, 3), (1, 3)]  # the stopped row is not read again


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
