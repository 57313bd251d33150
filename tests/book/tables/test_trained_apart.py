"""The table of heads that were trained apart, from records made by hand, and the script that makes them."""

import sys

import torch
from helpers.data import write
from helpers.models import make_llama
from helpers.scripted import GSM8K

from semalign.book.tables.trained_apart import CHANGES, PAIRS, apart_records, apart_table, names
from semalign.micro.tokenizer import train_tokenizer
from semalign.paths import project_root
from semalign.results.records import make_record, write_record

sys.path.insert(0, str(project_root() / "benchmarks"))

import trained_apart as script

MBPP = {
    "task_id": 1, "text": "Write a function to add.", "code": "def add(a, b):\r\n    return a + b",
    "test_list": ["assert add(1, 2) == 3"] * 3, "test_setup_code": "", "challenge_test_list": [],
}  # fmt: skip


def record(aligned, change=None):
    cka = {"aligned": aligned, "permuted": 0.04, "low": 0.03, "high": 0.05}
    details = {
        "vocabulary": 1024,
        "widths": [128, 96],
        "correspondence": {"atoms": cka, "head": {**cka, "aligned": 0.8}},
        "energy": {"first": 0.7, "first_ten": 0.8, "directions": 1.9},
        "directions": {"shared": 40, "of": 96, "overlap": 0.39, "permuted": 0.12},
    }
    return make_record(
        method="trained-apart", teacher="t", student="s", task="none", seed=0, metric="atom_cka", value=aligned, n=1024,
        seconds=1.0, fingerprints={"teacher": None, "student": None, "data": None},
        configuration={"change": change, "tokens": 1000} if change else {}, details=details,
    )  # fmt: skip


def test_models_come_first_and_changes_in_their_order(tmp_path):
    for name, made in {"half-the-width": record(0.2, "half the width"), "nothing": record(0.3, "nothing")}.items():
        write_record(tmp_path / f"{name}.json", made)
    write_record(tmp_path / "micro-teacher--micro-student.json", record(0.1))
    pair, shortened, narrow = apart_table(apart_records(tmp_path)).to_dict("records")
    assert pair["models"] == "micro-teacher → micro-student" and pair["tokens"] == ""
    assert (shortened["models"], str(shortened["tokens"])) == ("the recipe, shortened", "1,000")
    assert shortened["tokens"].data == {"tokens": 1000} and shortened["atoms"].data == {"atoms": 1024}
    assert narrow == {
        "models": "half the width", "tokens": narrow["tokens"], "widths": "128 and 96", "atoms": narrow["atoms"],
        "CKA of atoms": 0.2, "at random": 0.04, "CKA of head rows": 0.8,
        "first direction": 0.7, "shared directions": 40, "of": 96,
    }  # fmt: skip


def test_the_table_has_every_change_of_the_script():
    assert list(CHANGES) == list(script.CHANGES)
    assert len(names()) == len(CHANGES) + len(PAIRS)


def test_the_changes_of_a_model():
    model = make_llama(vocab_size=11, hidden_size=8, layers=1, seed=0)
    before = model.lm_head.weight.detach().clone()
    script.decay(model)
    model(torch.tensor([[1, 2, 3]])).logits.sum().backward()
    torch.testing.assert_close(model.lm_head.weight.detach(), (1 - script.DECAY) * before)
    script.tie(model)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_published_text_is_that_of_questions_with_their_answers(root):
    write(root, "openai/gsm8k/main/train", [GSM8K])
    write(root, "google-research-datasets/mbpp/full/train", [MBPP])
    script.published.cache_clear()
    texts = script.published()
    assert texts == [
        "How many are 3?\n1+2=3\n#### 3",
        "Write a function to add.\ndef add(a, b):\n    return a + b",
    ]
    assert len(train_tokenizer(280, texts)) == 280
    script.published.cache_clear()
