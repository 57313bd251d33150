"""Prompt and response as token ids: what they decode to, the first token once, and where tokens end."""

import pytest
from helpers.models import make_tokenizer
from helpers.tokenizers import KINDS, tokenizer_of
from hypothesis import given, settings
from hypothesis import strategies as st

from semalign.data.tokens import Encoder, Tokens

BITS = (
    *("A:", " ", "  ", "\n", "\t", "\r\n", "hello", "print(", '"', ")", "don", "'t", "un", "able", "return", "12"),
    *("é", "e\u0301", "\u0301", "😀", "👩\u200d👧", "日本", "ﬁ", "\u00a0", "</s>", "<|user|>", "x", "=", "\u200b"),
)
TEXTS = st.lists(st.sampled_from(BITS), max_size=5).map("".join) | st.text(max_size=6)


def decoded(encoder, ids):
    """The text of token ids, without the first token that the tokenizer adds."""
    return encoder.decode(ids[1:] if ids[:1] == encoder.first.ids else ids)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(prompt=TEXTS, response=TEXTS)
def test_prompt_and_response_decode_to_the_text(kind, prompt, response):
    tokenizer = tokenizer_of(kind)
    encoder = Encoder(tokenizer)
    whole = encoder.decode(encoder.body(prompt + response).ids)
    try:
        start, rest = encoder.pair(prompt, response)
    except ValueError:  # only where an unknown token stands for text of both sides
        assert tokenizer.unk_token_id in encoder.body(prompt + response).ids + encoder.body(response).ids
        return
    assert start.ids == tokenizer(prompt).input_ids
    text = decoded(encoder, start.ids + rest.ids)
    assert text in (whole, prompt + response) or encoder.decode(encoder.body(text).ids) == whole
    assert len(start.ids) == len(start.ends) and len(rest.ids) == len(rest.ends)


@pytest.mark.parametrize(
    ("kind", "prompt", "response", "expected"),
    [
        ("llama-legacy", "A: ", "hello", ["hel", "l", "o"]),
        ("metaspace-always", "A: ", "hello", ["hel", "l", "o"]),
        ("metaspace-first", "print(", '"hi")', ['"', "h", "i", '")']),
        ("byte-level-prefix", "A: ", "hello", ["hello"]),
        ("word-piece", "un", "able", ["##able"]),
    ],
)
def test_no_prefix_comes_in_front_of_a_response(kind, prompt, response, expected):
    tokenizer = tokenizer_of(kind)
    start, rest = Encoder(tokenizer).pair(prompt, response)
    assert start.ids == tokenizer(prompt).input_ids
    assert "".join(tokenizer.convert_ids_to_tokens(rest.ids)) == "".join(expected)


@pytest.mark.parametrize("kind", ["llama-legacy", "metaspace-first", "byte-level"])
@pytest.mark.parametrize(
    ("prompt", "response"), [("A: ", "hello é"), ("don", "'t\n\tx"), ("", "日本!"), ("x\r\n", "😀 x"), ("un  ", " ")]
)
def test_ends_are_characters_of_the_text(kind, prompt, response):
    encoder = Encoder(tokenizer_of(kind))
    start, rest = encoder.pair(prompt, response)
    ids, ends = start + rest
    assert ends == sorted(ends) and ends[-1] == len(prompt + response)
    for n, end in enumerate(ends, start=1):
        text = decoded(encoder, ids[:n])
        if "\ufffd" not in text:  # else a character of several tokens, of which not all are there
            assert text == (prompt + response)[:end]


def test_an_unknown_token_for_both_sides_is_refused():
    encoder = Encoder(tokenizer_of("characters"))
    with pytest.raises(
        ValueError, match=r"joins the end of the prompt, 'a#', and the beginning of the response, '\$b'"
    ):
        encoder.pair("a#", "$b")


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_token_comes_once(kind):
    tokenizer = tokenizer_of(kind)
    encoder, bos = Encoder(tokenizer), tokenizer.bos_token_id
    for text in ("x = 12", "<s>x = 12", "<s> x = 12", "<s>", ""):
        assert encoder.prompt(text).ids[0] == bos and encoder.prompt(text).ids.count(bos) == 1
        for cut in {0, *range(3, len(text) + 1)}:
            start, rest = encoder.pair(text[:cut], text[cut:])
            assert start.ids[0] == bos and (start.ids + rest.ids).count(bos) == 1
    assert encoder.prompt("<s>x").ids == tokenizer("<s>x", add_special_tokens=False).input_ids


def test_a_tokenizer_that_adds_nothing_or_an_end_too():
    assert Encoder(make_tokenizer()).first == Tokens([], [])
    closing = make_tokenizer()
    closing.add_special_tokens({"bos_token": "<bos>"})
    closing.add_bos_token = closing.add_eos_token = True
    closing.update_post_processor()
    assert closing("ab").input_ids == [closing.bos_token_id, *closing.encode("ab", add_special_tokens=False), 0]
    encoder = Encoder(closing)
    assert encoder.prompt("ab").ids == closing("ab").input_ids[:-1]
    assert encoder.ended(encoder.prompt("ab"), 3) == Tokens(closing("ab").input_ids, [0, 2, 3])
    assert encoder.ended(encoder.prompt("ab<eos>"), 8).ids == closing("ab").input_ids


def test_without_offsets_ends_are_unknown(monkeypatch):
    tokenizer = make_tokenizer()
    monkeypatch.setattr(type(tokenizer), "is_fast", False)
    start, rest = Encoder(tokenizer).pair("12a", "bc")
    assert (start.ends, rest.ends) == ([-1] * 3, [-1] * 2)


def test_a_token_without_an_embedding_is_refused():
    tokenizer = make_tokenizer()
    encoder = Encoder(tokenizer, vocabulary=len(tokenizer))
    assert encoder.pair("a", "b")
    tokenizer.add_tokens(["<tool>"])
    for texts in (("a", "<tool>"), ("<tool>", "a")):
        with pytest.raises(ValueError, match=rf"token {len(tokenizer) - 1} \('<tool>'\) has no embedding"):
            encoder.pair(*texts)
