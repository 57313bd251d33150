"""Evaluation reads texts as training does, with lm-eval's classes as they are underneath."""

import copy

import pytest
import torch
from helpers.models import make_llama
from helpers.tokenizers import tokenizer_of
from lm_eval.api.instance import Instance

from semalign.data.rows import encode
from semalign.evaluation.same_tokens import padded
from semalign.evaluation.transformers_engine import InMemoryModel
from semalign.models.loading import LanguageModel

ROWS = [
    {"prompt": prompt, "response": response}
    for prompt, response in [("A: ", "hello"), ("print(", '"hi")'), ("<s>A:", " 12"), ("x\n", "undo"), ("un", "able")]
]


def engine_of(tokenizer, rows=0):
    return InMemoryModel(LanguageModel(make_llama(rows or len(tokenizer), 8, 1, 0), tokenizer), batch_size=2)


@pytest.mark.parametrize(
    "kind", ["llama-legacy", "metaspace-first", "byte-level-prefix", "unigram-always", "word-piece"]
)
def test_prompts_and_continuations_are_those_of_training(kind):
    tokenizer = tokenizer_of(kind)
    engine = engine_of(tokenizer)
    for row, example in zip(ROWS, encode(ROWS, tokenizer, 64), strict=True):
        n, ids = example.prompt_length, list(example.input_ids)
        assert engine._encode_pair(row["prompt"], row["response"]) == (ids[:n], ids[n:-1])
        assert engine.tok_encode(row["prompt"]) == ids[:n] and ids[0] == tokenizer.bos_token_id not in ids[1:]
        batch, mask = engine.tok_batch_encode((row["prompt"], "a much longer prompt than any of these others"))
        assert batch[0, mask[0].bool()].tolist() == ids[:n] and batch[0, -1] == ids[n - 1]
    prompts = [row["prompt"] for row in ROWS]
    assert engine.tok_encode(prompts) == [engine.tok_encode(prompt) for prompt in prompts]
    assert engine.tok_encode("A:", left_truncate_len=1) == engine.tok_encode("A:")[-1:]
    assert engine.tok_encode("A:", add_special_tokens=False) == engine.tok_encode("A:")[1:]


def test_rows_are_padded_on_the_left():
    ids, mask = padded([[1, 2], [3]], filler=9)
    assert ids.tolist() == [[1, 2], [9, 3]] and mask.tolist() == [[1, 1], [0, 1]]


def generated(engine, prompts):
    settings = {"until": ["~"], "do_sample": False, "max_gen_toks": 4}
    return engine.generate_until([Instance("generate_until", {}, (p, dict(settings)), 0) for p in prompts])


@torch.no_grad()
def test_a_tokenizer_without_an_end_or_with_a_padding_token_that_has_no_embedding(monkeypatch):
    plain = tokenizer_of("byte-level")
    usual = generated(engine_of(plain), ["A: ", "hello there"])
    for change in ({"eos_token": None}, {"eos_token": None, "unk_token": None}):
        tokenizer = copy.deepcopy(plain)
        for name, value in change.items():
            setattr(tokenizer, name, value)
        assert generated(engine_of(tokenizer, len(plain)), ["A: ", "hello there"]) == usual
    tokenizer = copy.deepcopy(plain)
    tokenizer.add_special_tokens({"pad_token": "<padding>"})
    assert tokenizer.pad_token_id == len(plain)
    assert generated(engine_of(tokenizer, len(plain)), ["A: ", "hello there"]) == usual


def test_a_token_without_an_embedding_is_an_error_and_no_crash():
    tokenizer = tokenizer_of("byte-level")
    with pytest.raises(ValueError, match="has no embedding: the model has 100"):
        engine_of(tokenizer, 100).tok_encode("hello there, unable")
