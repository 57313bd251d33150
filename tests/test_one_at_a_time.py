"""Methods on two models by name: never both in memory, no more layers than needed, and the results of loaded models."""

from pathlib import Path

import pytest
import torch
from helpers.models import make_llama, make_tokenizer
from helpers.saved_models import Watch, save

from semalign.methods.runner import run_method
from semalign.models import remembered
from semalign.models.loading import LanguageModel, load_model

FAST = {"epochs": 2, "batch_size": 4, "rank": 2}
LATEN = {"extract_size": 4, "align_size": 8, "steps": 2}
RUNS = [
    ("semalign", {**FAST, "teacher_layer": 2}),
    ("semalign", {**FAST, "attribution_examples": 4}),
    ("semalign", {**FAST, "student_layers": [1, 3], "map": "ridge"}),
    ("logit-kl", {**FAST, "teacher_layer": 2}),
    ("least-squares", {**FAST, "teacher_layer": 3, "fold_norm": True}),
    ("frontier", FAST),
    ("sft", FAST),
    ("seeking", {**FAST, "seed_examples": 3, "lora_dropout": 0.0}),
    ("laten", LATEN),
]


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "RECENT", 0)
    tokenizer = make_tokenizer()
    large = LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)
    small = LanguageModel(make_llama(len(tokenizer), 12, 4, seed=2), tokenizer)
    return save(large, tmp_path / "large", "4KB"), save(small, tmp_path / "small")


def ran(name, pair, rows, **settings):
    result = run_method(name, *pair, rows[:-2], validation=rows[-2:], **settings)
    record = {key: value for key, value in result.record.items() if key in ("losses", "value", "fingerprints")}
    return result.model.model.state_dict(), {**record, "details": result.record["details"]}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings"), RUNS, ids=lambda value: value if isinstance(value, str) else "")
def test_results_are_those_of_loaded_models_and_only_one_is_in_memory(name, settings, pair, rows, monkeypatch):
    watch = Watch(monkeypatch)
    weights, record = ran(name, pair, rows, **settings)
    assert all(len(names) == 1 for names in watch.together) and {name for name, _ in watch.loads} == {"large", "small"}
    monkeypatch.setenv("SEMALIGN_CACHE", f"{pair[0]}-cache")
    theirs, known = ran(name, [load_model(path) for path in pair], rows, **settings)
    assert record == known
    assert weights.keys() == theirs.keys() and all(torch.equal(weights[key], theirs[key]) for key in weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"), [*RUNS[:4], RUNS[6]], ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_teacher_whose_part_is_in_the_cache_is_not_loaded(name, settings, pair, rows, monkeypatch):
    before = ran(name, pair, rows, **settings)[1]
    watch = Watch(monkeypatch)
    again = ran(name, pair, rows, **settings)[1]
    assert again == before
    assert set(watch.loads) == {("small", None)}


@pytest.mark.slow
def test_a_run_without_attribution_reads_the_teachers_first_layers_only(pair, rows, monkeypatch):
    for path in pair:
        assert remembered.remembered(path, lambda path=path: load_model(path))
    watch = Watch(monkeypatch)
    ran("semalign", pair, rows, **FAST, teacher_layer=2)
    assert [each for each in watch.loads if each[0] == "large"] == [("large", 1), ("large", 2)]  # its head, its states


def test_checks_come_before_any_weights_of_known_models(pair, rows, monkeypatch):
    for path in pair:
        assert remembered.remembered(path, lambda path=path: load_model(path))
    watch = Watch(monkeypatch)
    wrong = [
        ("semalign", {"teacher_layer": 9}, "teacher layer 9 does not exist"),
        ("semalign", {"rank": 1000}, "rank 1000 is above"),
        ("sft", {"rank": 1000}, "rank 1000 is above"),
        ("laten", {"extract_size": 50}, "leave none to train on"),
    ]
    for name, settings, message in wrong:
        with pytest.raises(ValueError, match=message):
            run_method(name, *pair, rows, **settings)
    with pytest.raises(ValueError, match=r"^large, row 1.*more than the context of 64"):
        run_method("semalign", *pair, [{"prompt": "a b c " * 40, "response": "x"}])
    with pytest.raises(ValueError, match="holds the teacher of this run"):
        run_method("semalign", *pair, rows, output_dir=Path(pair[0]))
    assert not watch.loads
