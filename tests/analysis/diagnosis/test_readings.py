"""Readings against a literal logit lens, and their ends: a model read by itself, and the best fit at a width."""

import pytest
import torch
from helpers.models import make_llama, normal

from semalign.analysis.diagnosis.readings import LOGITS, TOP, Reader, compared, line, spread
from semalign.models.architecture import Architecture
from semalign.results.statistics import ratio_interval


@pytest.fixture
def final():
    return normal(40, 16)


@pytest.fixture
def reader(teacher, student, tokenizer, final):
    ids = torch.arange(len(tokenizer))
    return Reader(Architecture(teacher.model), Architecture(student.model), ids, ids, final)


def test_states_are_read_by_final_norm_and_head(reader, teacher, student, final):
    states = normal(40, 12, seed=2)
    expected = student.model.lm_head(student.model.model.norm(states))
    wanted = teacher.model.lm_head(final)
    found = reader.by_student(states)
    torch.testing.assert_close(found["top_1"], (expected.argmax(-1) == wanted.argmax(-1)).float())
    top = expected.topk(TOP, dim=-1).indices
    torch.testing.assert_close(found["top_5"], (top == wanted.argmax(-1)[:, None]).any(-1).float())
    p, q = wanted.softmax(-1), expected.softmax(-1)
    torch.testing.assert_close(found["kl"], (p * (p / q).log()).sum(-1).float(), rtol=1e-4, atol=1e-5)


def test_states_beyond_float16_are_read_as_at_any_other_length(tokenizer):
    model = Architecture(make_llama(len(tokenizer), 12, 4, 1).half())
    ids, states = torch.arange(len(tokenizer)), normal(40, 12, seed=2).float()
    reader = Reader(model, model, ids, ids, normal(40, 12).half())
    found, longer = reader.by_student(states), reader.by_student(1e5 * states)
    assert (1e5 * states).abs().max() > torch.finfo(torch.float16).max
    assert torch.equal(longer["top_1"], found["top_1"]) and longer["kl"].isfinite().all()
    torch.testing.assert_close(longer["kl"], found["kl"], rtol=2e-2, atol=2e-3)


def test_only_shared_tokens_count(teacher, student, final):
    ids = torch.tensor([3, 5, 8, 13])
    reader = Reader(Architecture(teacher.model), Architecture(student.model), ids, ids.flip(0), final)
    states = normal(40, 12, seed=2)
    expected = student.model.lm_head(states)[:, ids.flip(0)].argmax(-1)
    wanted = teacher.model.lm_head(final)[:, ids].argmax(-1)
    torch.testing.assert_close(reader.by_final(states)["top_1"], (expected == wanted).float())


def test_a_teacher_says_what_it_says(teacher, tokenizer, final):
    model, ids = Architecture(teacher.model), torch.arange(len(tokenizer))
    found = Reader(model, model, ids, ids, final).by_final(final)
    assert found["top_1"].min() == 1 and found["kl"].abs().max() < 1e-6


def test_the_best_fit_is_the_best_approximation_of_the_logits_of_the_student_s_rank(reader, teacher, final):
    logits = teacher.model.lm_head(final).detach()
    u, s, vh = torch.linalg.svd(logits, full_matrices=False)
    best = (u[:, :12] * s[:12]) @ vh[:12]
    expected = compared(logits.float().log_softmax(-1), best)
    found = reader.best_fit()
    torch.testing.assert_close(found["top_1"], expected["top_1"])
    torch.testing.assert_close(found["kl"], expected["kl"], rtol=1e-3, atol=1e-5)


def test_a_line_has_means_over_positions_and_an_interval_over_rows():
    read = {"top_1": torch.tensor([1.0, 0.0, 1.0, 1.0]), "kl": torch.tensor([1.0, 2.0, 3.0, 4.0])}
    found = line(read, [1, 0, 3], read="target", layer=2)
    assert found["read"] == "target" and found["layer"] == 2
    assert found["top_1"] == 0.75 and found["kl"] == 2.5
    assert (found["low"], found["high"]) == pytest.approx(ratio_interval([1, 2], [1, 3])[1:])
    certain = line({"top_1": torch.ones(4)}, [2, 2])
    assert (certain["low"], certain["high"]) == (1, 1)
    assert line({"top_1": torch.tensor([0.0, 1.0])}, [1, 1])["low"] == 0  # and not less


def test_rows_are_read_at_all_positions_while_their_logits_fit():
    assert [each.tolist() for each in spread([3, 1, 0], 2000)] == [[0, 1, 2], [0], []]


def test_of_a_large_vocabulary_as_many_positions_are_read_as_fit_at_even_distances():
    shared = LOGITS // 9  # nine positions in all: three of each row
    assert [each.tolist() for each in spread([101, 2, 5], shared)] == [[0, 50, 100], [0, 1], [0, 2, 4]]
    assert [each.tolist() for each in spread([4, 4], 10 * LOGITS)] == [[0], [0]]
