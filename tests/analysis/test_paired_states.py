"""Blocks of rows: each token of the texts once, and the i-th rows of both models belong together."""

import gc

import pytest
import torch
from helpers.models import make_tokenizer
from helpers.read_texts import TEXTS, states_of_texts

from semalign.analysis.paired_states import POOLINGS, StateOptions, paired_states
from semalign.models.loading import LanguageModel


def test_blocks_are_equal_and_hold_matching_rows_once(teacher, student):
    teacher_layers, student_layers = (
        [torch.cat(texts) for texts in states_of_texts(model)] for model in (teacher, student)
    )
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


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts(teacher, student):
    def most(n_texts):
        blocks = paired_states(teacher, student, ["abc def ghi"] * n_texts, StateOptions(block=40, batch_size=2))
        return max(sum(each.numel() for each in gc.get_objects() if type(each) is torch.Tensor) for _ in blocks)

    assert most(40) <= 1.05 * most(8)


def test_no_hook_stays(teacher, student):
    next(paired_states(teacher, student, TEXTS, StateOptions(block=10, batch_size=1)))
    for model in (teacher, student):
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.model.modules())


@pytest.mark.parametrize("endless", [("teacher",), ("student",), ("teacher", "student")])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_tokenizer_without_an_end_leaves_out_no_token_of_a_text(teacher, student, endless, pooling):
    def blocks(models):
        return list(paired_states(models["teacher"], models["student"], TEXTS, StateOptions(pooling=pooling)))

    models = {"teacher": teacher, "student": student}
    expected = blocks(models)  # of texts one of which is one token
    for name in endless:
        tokenizer = make_tokenizer()
        tokenizer.eos_token = None
        models[name] = LanguageModel(models[name].model, tokenizer)
    torch.testing.assert_close(blocks(models), expected)
