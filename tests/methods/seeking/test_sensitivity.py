"""Sensitivities of all parameters against whole backward passes."""

import pytest
import torch
from helpers.damage import damaged
from helpers.seeking import LLAMA, best_rows_and_columns, best_window

from semalign.data.rows import batches, encode
from semalign.methods.seeking import sensitivity
from semalign.methods.seeking.blocks import Block
from semalign.methods.seeking.sensitivity import Extraction, check_fit, extract
from semalign.models.architecture import Architecture


def elementwise(teacher, examples):
    """Sensitivities of all parameters, literally: whole backward passes, everything kept."""
    sums = {}
    for batch in batches(examples, 1):
        teacher.model.zero_grad()
        labels = batch.pop("labels")[0, 1:]
        nll = -teacher.model(**batch).logits[0, :-1].log_softmax(-1)
        nll[labels >= 0, labels[labels >= 0]].mean().backward()
        for name, parameter in teacher.model.named_parameters():
            sums[name] = sums.get(name, 0) + (parameter * parameter.grad).abs().detach()
    teacher.model.zero_grad()
    return sums


def test_extraction_is_that_of_elementwise_sensitivities(teacher, student, rows):
    examples = encode(rows[:4], teacher.tokenizer, 64)
    sums = elementwise(teacher, examples)
    scores = [sum(s.sum().item() for n, s in sums.items() if n.startswith(f"model.layers.{i}.")) for i in range(5)]
    large, small = Architecture(teacher.model), Architecture(student.model)
    shapes = check_fit(large, small)
    windows, crossings = (extract(large, small, examples, choice) for choice in ("window", "rows_columns"))
    assert windows.layer_scores == pytest.approx(scores, rel=1e-10)
    assert windows.layers == crossings.layers == sorted(sorted(range(1, 6), key=lambda k: -scores[k - 1])[:4])
    for k, window, crossing in zip(windows.layers, windows.blocks, crossings.blocks, strict=True):
        assert window.keys() == crossing.keys() == set(LLAMA)
        for path in LLAMA:
            sensitivity, (n, m) = sums[f"model.layers.{k - 1}.{path}.weight"], shapes[path]
            top, left = best_window(sensitivity, (n, m))
            assert window[path].rows.tolist() == list(range(top, top + n))
            assert window[path].columns.tolist() == list(range(left, left + m))
            assert all(map(torch.equal, crossing[path], best_rows_and_columns(sensitivity, (n, m))))


def test_a_damaged_extraction_is_made_again(tmp_path, caplog):
    path = tmp_path / "a.safetensors"
    block = Block(torch.tensor([1, 2]), torch.tensor([0, 3]))
    made = Extraction([0.1, 1e-30], [2], [{"q_proj": block}])
    assert Extraction.load(path, ["q_proj"]) is None and not caplog.text
    made.save(path)
    for what in damaged(path, step=5):
        caplog.clear()
        assert Extraction.load(path, ["q_proj"]) is None and str(path) in caplog.text, what
    found = Extraction.load(path, ["q_proj"])
    assert found[:2] == made[:2] and all(map(torch.equal, found.blocks[0]["q_proj"], block))


def test_extraction_leaves_the_teacher_as_it_was(teacher, student, rows):
    before = {name: p.clone() for name, p in teacher.model.state_dict().items()}
    teacher.model.requires_grad_(False)
    extract(Architecture(teacher.model), Architecture(student.model), encode(rows[:2], teacher.tokenizer, 64))
    assert all(torch.equal(p, before[name]) for name, p in teacher.model.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in teacher.model.parameters())
    assert not any(p._post_accumulate_grad_hooks for p in teacher.model.parameters())


def test_examples_that_do_not_run_at_once_give_the_same(teacher, student, rows, monkeypatch):
    large, small, examples = (
        Architecture(teacher.model),
        Architecture(student.model),
        encode(rows[:4], teacher.tokenizer, 64),
    )
    together = extract(large, small, examples)
    monkeypatch.setattr(sensitivity, "EXAMPLES_AT_ONCE", 1)
    alone = extract(large, small, examples)
    assert alone.layer_scores == pytest.approx(together.layer_scores, rel=1e-12) and alone.layers == together.layers
    for ours, theirs in zip(alone.blocks, together.blocks, strict=True):
        assert all(map(torch.equal, ours[path], theirs[path]) for path in LLAMA)
