"""The matrix of all layer pairs against states read one text at a time, pair by pair."""

import gc

import pytest
import torch
from helpers.models import make_llama, make_tokenizer
from peft import LoraConfig, get_peft_model
from torch.nn.functional import normalize

from semalign.analysis.cka import POOLINGS, CKAOptions, StateOptions, cka_matrix, paired_states
from semalign.analysis.hsic import cka
from semalign.bases.basis import SemanticBasis
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel
from semalign.targets.alignment import alignment_map

TEXTS = ["what is 1+2?", "a", "the cat, the dog.\n", "0123456789 and so on", "banana bread", "x = y*z\n", "ab", "one."]


def _states(model, interface="layer"):
    """Return, for each layer, the states of each text, without padding or batches."""
    architecture = Architecture(model.model)
    layers = range(1, architecture.n_layers + 1)
    found = {k: [] for k in layers}
    for text in TEXTS:
        with torch.no_grad(), capture(architecture, layers, interface) as states:
            model.model(torch.tensor([model.tokenizer(text)["input_ids"]]))
        for k in layers:
            found[k].append(states[k][0])
    return list(found.values())


def _literal(teacher_layers, student_layers, **options):
    return torch.tensor([[cka(t, s, **options) for s in student_layers] for t in teacher_layers], dtype=torch.float64)


@pytest.mark.parametrize(("interface", "kernel"), [("attention", "linear"), ("mlp", "rbf"), ("layer", "linear")])
def test_all_pairs_of_token_states(teacher, student, interface, kernel):
    sides = [[torch.cat(texts) for texts in _states(model, interface)] for model in (teacher, student)]
    options = CKAOptions(interface=interface, kernel=kernel, fraction=0.5, batch_size=3)
    found = cka_matrix(teacher, student, TEXTS, options)
    assert found.shape == (5, 4)
    torch.testing.assert_close(found, _literal(*sides, kernel=kernel, fraction=0.5))


@pytest.mark.parametrize(("pooling", "pool"), [("mean", lambda h: h.mean(0)), ("last", lambda h: h[-1])])
def test_one_row_a_text(teacher, student, pooling, pool):
    sides = [[torch.stack([pool(h) for h in texts]) for texts in _states(model)] for model in (teacher, student)]
    torch.testing.assert_close(cka_matrix(teacher, student, TEXTS, CKAOptions(pooling=pooling)), _literal(*sides))


@pytest.mark.parametrize("endless", [("teacher",), ("student",), ("teacher", "student")])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_tokenizer_without_an_end_leaves_out_no_token_of_a_text(teacher, student, endless, pooling):
    models, options = {"teacher": teacher, "student": student}, CKAOptions(pooling=pooling)
    for name in endless:
        tokenizer = make_tokenizer()
        tokenizer.eos_token = None
        models[name] = LanguageModel(models[name].model, tokenizer)
    found = cka_matrix(*models.values(), TEXTS, options)  # with a text of one token
    torch.testing.assert_close(found, cka_matrix(teacher, student, TEXTS, options))


@pytest.mark.parametrize("unit", [False, True])
def test_after_alignment(teacher, student, unit):
    alignment = alignment_map(SemanticBasis.from_model(teacher), SemanticBasis.from_model(student))
    sides = [[torch.cat(texts) for texts in _states(model)] for model in (teacher, student)]
    if unit:
        sides = [[normalize(rows, dim=-1) for rows in side] for side in sides]
    mapped = [rows @ alignment.double() for rows in sides[0]]
    options = CKAOptions(unit=unit)
    found = cka_matrix(teacher, student, TEXTS, options, alignment=alignment)
    torch.testing.assert_close(found, _literal(mapped, sides[1]))
    assert (found - cka_matrix(teacher, student, TEXTS, options)).abs().max() > 0.01


def test_blocks_are_equal_and_hold_matching_rows_once(teacher, student):
    teacher_layers, student_layers = ([torch.cat(texts) for texts in _states(model)] for model in (teacher, student))
    blocks = list(paired_states(teacher, student, TEXTS, StateOptions(block=20, batch_size=3)))
    total = len(teacher_layers[0])
    size = total // -(-total // 20)
    assert {rows.shape[1] for pair in blocks for rows in pair} == {size}
    assert len(blocks) == total // size
    seen = []
    for teacher_rows, student_rows in blocks:
        for i in range(size):
            where = (teacher_layers[2] - teacher_rows[2, i]).abs().sum(-1).argmin()
            torch.testing.assert_close(teacher_layers[4][where], teacher_rows[4, i])
            torch.testing.assert_close(student_layers[3][where], student_rows[3, i])
            seen.append(int(where))
    assert len(set(seen)) == size * len(blocks)
    assert seen != sorted(seen)


def test_minibatch_matrix_agrees_with_ckatorch(teacher, student):
    ckatorch = pytest.importorskip("ckatorch", reason="ckatorch, the public package to compare with, is not installed")
    blocks = list(paired_states(teacher, student, TEXTS, StateOptions(block=16, batch_size=2, seed=3)))
    assert len(blocks) > 3
    teacher_blocks, student_blocks = (torch.stack(side) for side in zip(*blocks, strict=True))
    theirs = [[ckatorch.cka_batch(teacher_blocks[:, i], student_blocks[:, j]) for j in range(4)] for i in range(5)]
    ours = cka_matrix(teacher, student, TEXTS, CKAOptions(block=16, batch_size=2, seed=3))
    torch.testing.assert_close(ours, torch.tensor(theirs, dtype=torch.float64))


def test_model_with_itself(teacher):
    matrix = cka_matrix(teacher, teacher, TEXTS, CKAOptions(block=20))
    torch.testing.assert_close(matrix.diagonal(), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(matrix, matrix.T)
    assert (matrix <= 1 + 1e-9).all()


def test_one_pass_over_each_model(teacher, student):
    passes = []
    for model in (teacher, student):
        Architecture(model.model)  # proves its layout by passes of its own
        model.model.model.register_forward_hook(lambda module, args, output: passes.append(module))
    cka_matrix(teacher, student, TEXTS, CKAOptions(block=10, batch_size=4))
    assert passes.count(teacher.model.model) == passes.count(student.model.model) == 2


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts(teacher, student):
    def most(n_texts):
        blocks = paired_states(teacher, student, ["abc def ghi"] * n_texts, StateOptions(block=40, batch_size=2))
        return max(sum(each.numel() for each in gc.get_objects() if type(each) is torch.Tensor) for _ in blocks)

    assert most(40) <= 1.05 * most(8)


def test_adapted_student(teacher, student):
    before = cka_matrix(teacher, student, TEXTS)
    config = LoraConfig(r=2, target_modules=["model.layers.2.mlp.up_proj"], init_lora_weights=False)
    adapted = LanguageModel(get_peft_model(student.model, config), student.tokenizer)
    after = cka_matrix(teacher, adapted, TEXTS)
    torch.testing.assert_close(after[:, :2], before[:, :2])
    assert (after[:, 2:] - before[:, 2:]).abs().max() > 1e-3


def test_other_tokenizer_matches_where_tokens_end(teacher):
    letters = make_tokenizer([])
    student = LanguageModel(make_llama(len(letters), 12, 4, seed=2), letters)
    teacher_rows, student_rows = next(paired_states(teacher, student, TEXTS, StateOptions(pooling="tokens")))
    ends = [
        [e - 1 for _, e in teacher.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]] for text in TEXTS
    ]
    n = sum(map(len, ends))
    assert n < sum(map(len, TEXTS))
    assert teacher_rows.shape[1] == student_rows.shape[1] == n
    sides = [
        [torch.cat(texts) for texts in _states(teacher)],
        [torch.cat([h[at] for h, at in zip(texts, ends, strict=True)]) for texts in _states(student)],
    ]
    torch.testing.assert_close(cka_matrix(teacher, student, TEXTS), _literal(*sides))


def test_bad_input_is_refused_before_any_pass(teacher, student):
    def refused(match, texts=TEXTS, alignment=None, **options):
        with pytest.raises(ValueError, match=match):
            cka_matrix(teacher, student, texts, CKAOptions(**options), alignment=alignment)

    calls = []
    for model in (teacher, student):
        Architecture(model.model)  # as above
    hooks = [model.model.register_forward_pre_hook(lambda *_: calls.append(1)) for model in (teacher, student)]
    refused("0 rows", [])
    refused("text 2 has no token", ["a", ""])
    refused("row 1 has", ["abc " * 100])
    refused("7 rows", TEXTS[:7], pooling="last")
    refused("unknown pooling", pooling="first")
    refused("unknown interface", interface="nowhere")
    refused("unknown kernel", kernel="cosine")
    refused("block", block=3)
    refused("batch_size", batch_size=0)
    refused(r"\(D_T, D_S\) = \(16, 12\)", alignment=torch.zeros(12, 16))
    assert not calls
    for hook in hooks:
        hook.remove()


def test_no_hook_stays(teacher, student):
    next(paired_states(teacher, student, TEXTS, StateOptions(block=10, batch_size=1)))
    for model in (teacher, student):
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.model.modules())
