"""The matrix of all layer pairs against states read one text at a time, pair by pair."""

import pytest
import torch
from helpers.models import make_llama, make_tokenizer
from helpers.read_texts import TEXTS, states_of_texts
from peft import LoraConfig, get_peft_model
from torch.nn.functional import normalize

from semalign.analysis.cka import CKAOptions, cka_matrix
from semalign.analysis.hsic import cka
from semalign.analysis.paired_states import StateOptions, paired_states
from semalign.bases.basis import SemanticBasis
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.targets.alignment import alignment_map


def _literal(teacher_layers, student_layers, **options):
    return torch.tensor([[cka(t, s, **options) for s in student_layers] for t in teacher_layers], dtype=torch.float64)


@pytest.mark.parametrize(("interface", "kernel"), [("attention", "linear"), ("mlp", "rbf"), ("layer", "linear")])
def test_all_pairs_of_token_states(teacher, student, interface, kernel):
    sides = [[torch.cat(texts) for texts in states_of_texts(model, interface)] for model in (teacher, student)]
    options = CKAOptions(interface=interface, kernel=kernel, fraction=0.5, batch_size=3)
    found = cka_matrix(teacher, student, TEXTS, options)
    assert found.shape == (5, 4)
    torch.testing.assert_close(found, _literal(*sides, kernel=kernel, fraction=0.5))


@pytest.mark.parametrize(("pooling", "pool"), [("mean", lambda h: h.mean(0)), ("last", lambda h: h[-1])])
def test_one_row_a_text(teacher, student, pooling, pool):
    sides = [
        [torch.stack([pool(h) for h in texts]) for texts in states_of_texts(model)] for model in (teacher, student)
    ]
    torch.testing.assert_close(cka_matrix(teacher, student, TEXTS, CKAOptions(pooling=pooling)), _literal(*sides))


@pytest.mark.parametrize("unit", [False, True])
def test_after_alignment(teacher, student, unit):
    alignment = alignment_map(SemanticBasis.from_model(teacher), SemanticBasis.from_model(student))
    sides = [[torch.cat(texts) for texts in states_of_texts(model)] for model in (teacher, student)]
    if unit:
        sides = [[normalize(rows, dim=-1) for rows in side] for side in sides]
    mapped = [rows @ alignment.double() for rows in sides[0]]
    options = CKAOptions(unit=unit)
    found = cka_matrix(teacher, student, TEXTS, options, alignment=alignment)
    torch.testing.assert_close(found, _literal(mapped, sides[1]))
    assert (found - cka_matrix(teacher, student, TEXTS, options)).abs().max() > 0.01


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
        [torch.cat(texts) for texts in states_of_texts(teacher)],
        [torch.cat([h[at] for h, at in zip(texts, ends, strict=True)]) for texts in states_of_texts(student)],
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
