"""What a tokenizer does with a text makes it what it is; its last call and its folder do not."""

import json

import pytest
from helpers.models import make_tokenizer
from tokenizers import processors
from transformers import AutoTokenizer, CTRLTokenizer, PreTrainedTokenizerFast

from semalign.models.tokenizer_identity import tokenizer_identity


def test_calls_and_folders_do_not_count(tmp_path):
    tokenizer = make_tokenizer()
    before = tokenizer_identity(tokenizer)
    tokenizer(["ab", "c"], padding=True, truncation=True, max_length=1)
    assert tokenizer_identity(tokenizer) == before
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer_identity(PreTrainedTokenizerFast.from_pretrained(tmp_path)) == before
    assert tokenizer_identity(AutoTokenizer.from_pretrained(tmp_path)) == before


def with_start(tokenizer):
    start = processors.TemplateProcessing(single="<pad> $A", special_tokens=[("<pad>", 1)])
    tokenizer.backend_tokenizer.post_processor = start


@pytest.mark.parametrize(
    "change",
    [
        lambda tokenizer: tokenizer.add_tokens(["hello"]),
        with_start,
        lambda tokenizer: setattr(tokenizer, "eos_token", "<pad>"),
        lambda tokenizer: setattr(tokenizer, "chat_template", "{{ messages }}"),
        lambda tokenizer: setattr(tokenizer, "clean_up_tokenization_spaces", True),
        lambda tokenizer: setattr(tokenizer, "split_special_tokens", True),
    ],
)
def test_what_changes_its_output_counts(change):
    tokenizer = make_tokenizer()
    change(tokenizer)
    assert tokenizer_identity(tokenizer) != tokenizer_identity(make_tokenizer())


def test_other_merges_count():
    assert tokenizer_identity(make_tokenizer(words=["is"])) != tokenizer_identity(make_tokenizer())


def test_a_tokenizer_without_a_fast_form_counts_with_its_merges(tmp_path):
    vocabulary = {token: i for i, token in enumerate(["<unk>", "a@@", "b@@", "b", "a", "ab", "a@@b"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    made = []
    for number, merges in enumerate(("a b</w>", "a b</w>", "b a</w>")):
        (tmp_path / f"{number}.txt").write_text(f"#version: 0.2\n{merges}\n")
        made.append(CTRLTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / f"{number}.txt")))
    assert not made[0].is_fast
    one, same, other = map(tokenizer_identity, made)
    assert one == same != other
    json.dumps(one)
