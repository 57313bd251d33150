"""What ends an answer: for ``generate``, which has a batch, and for one answer."""

import torch
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from semalign.evaluation.generation import Ends, StopStrings


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


def ended(ends, tokenizer, text):
    """Return after how many characters of a text an answer would end."""
    ids = tokenizer(text).input_ids
    return next((n for n in range(1, len(ids) + 1) if ends(ids[:n])), None)


def test_an_answer_ends_at_a_stop_string_an_end_token_or_after_so_many_tokens(tokenizer):
    ends = Ends(["\n\n", "ab#"], tokenizer, [tokenizer.eos_token_id], most=12)
    assert ended(ends, tokenizer, "x\n\ny") == 3
    assert ended(ends, tokenizer, "xab\nab#") == 7
    assert ended(ends, tokenizer, "x#b#\n") is None
    assert ended(ends, tokenizer, 20 * "x") == 12
    assert ends([*tokenizer("x").input_ids, tokenizer.eos_token_id])


def test_only_a_token_that_can_complete_a_stop_string_has_the_text_read(tokenizer, monkeypatch):
    read = []
    decode = tokenizer.decode
    ends = Ends(["+#"], tokenizer, [], most=99)
    monkeypatch.setattr(tokenizer, "decode", lambda ids, **o: read.append(decode(ids, **o)) or read[-1])
    assert ended(ends, tokenizer, "abcab+ab#ab#a+#") == 15
    assert [text for text in read if "\n" not in text] == ["b#", "b#", "+#"]


def test_bytes_of_a_character_may_complete_a_stop_string():
    characters = Tokenizer(models.BPE({f"<0x{byte:02X}>": byte for byte in range(256)}, merges=[], byte_fallback=True))
    characters.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=characters)
    ends = Ends(["é"], tokenizer, [], most=9)
    assert [ends(list("aé".encode())[:n]) for n in (1, 2, 3)] == [False, False, True]
