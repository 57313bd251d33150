"""Fine-tuning against the loss of transformers; parts of a batch give the gradient of the whole."""

import pytest
import torch

from semalign.data.rows import batches, encode
from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings
from semalign.training import finetuning
from semalign.training.finetuning import FineTuning, response_nll, row_nll, summed_nll
from semalign.training.lora import add_lora


def test_the_loss_is_that_of_transformers(student, rows):
    examples, architecture = encode(rows, student.tokenizer, 64), Architecture(student.model)
    literal = student.model(**next(batches(examples, len(examples)))).loss
    tokens = sum(len(example.positions()) for example in examples)
    assert summed_nll(architecture, examples).item() / tokens == pytest.approx(literal.item(), rel=1e-6)
    assert response_nll(architecture, examples, batch_size=5) == pytest.approx(literal.item(), rel=1e-6)
    single = encode([{"prompt": "", "response": "abc"}], student.tokenizer, 64)
    loss = student.model(**next(batches(single, 1))).loss
    assert response_nll(architecture, single) == pytest.approx(loss.item(), rel=1e-6)


def test_parts_of_a_batch_give_the_gradient_of_the_whole(student, rows):
    examples, moved = encode(rows, student.tokenizer, 64), []
    for micro_batch_size in (None, 5):
        settings = TrainingSettings(epochs=1, batch_size=12, micro_batch_size=micro_batch_size, rank=2, warmup_ratio=0)
        adapted = add_lora(student.model, [1, 3], settings, all_matrices=True)
        training = FineTuning(Architecture(adapted), examples, settings)
        training.optimizer = torch.optim.SGD(training.parameters.values(), lr=1.0)
        moved.append((training.run(), [p.detach().clone() for p in training.parameters.values()]))
    assert len(moved[0][1]) == 2 * 7 * 2
    assert moved[0][0][0] == pytest.approx(moved[1][0][0], rel=1e-6)
    for whole, parts in zip(moved[0][1], moved[1][1], strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-6, atol=1e-8)


def test_the_likelihood_of_each_row_is_that_of_the_row_alone(student, rows):
    examples, architecture = encode(rows, student.tokenizer, 64), Architecture(student.model)
    alone = [summed_nll(architecture, [example]).item() for example in examples]
    assert row_nll(architecture, examples, batch_size=5) == pytest.approx(alone, rel=1e-6)


def failing_above(most, compute, seen):
    """Return what computes a part, but lacks the memory for more than ``most`` rows, and only notices at the end."""

    def limited(model, part):
        found = compute(model, part)
        seen.append(len(part))
        if len(part) > most and len(seen) > 1:  # the second part of the first batch, so that one has its gradient
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return found

    return limited


def test_a_batch_that_does_not_fit_is_trained_in_smaller_parts_without_a_trace(student, rows, monkeypatch):
    examples, ends, seen = encode(rows, student.tokenizer, 64), [], []
    for micro_batch_size in (3, 6):
        settings = TrainingSettings(
            epochs=2, batch_size=12, micro_batch_size=micro_batch_size, rank=2, lora_dropout=0.2
        )
        adapted = add_lora(student.model, [1, 3], settings)
        training = FineTuning(Architecture(adapted), examples, settings)
        if micro_batch_size == 6:
            limited = failing_above(3, summed_nll, seen)
            monkeypatch.setattr("semalign.training.finetuning.summed_nll", limited)
        ends.append((training.run(), [p.detach().clone() for p in training.parameters.values()]))
    assert seen == [6, 6, *[3] * 8]
    assert ends[0][0] == ends[1][0] and all(map(torch.equal, ends[0][1], ends[1][1]))


def test_the_likelihood_is_measured_in_parts_that_fit(student, rows, monkeypatch):
    examples, architecture, seen = encode(rows, student.tokenizer, 64), Architecture(student.model), []
    expected = response_nll(architecture, examples, batch_size=4)
    monkeypatch.setattr(finetuning, "_token_nll", failing_above(4, finetuning._token_nll, seen))
    assert response_nll(architecture, examples, batch_size=6) == pytest.approx(expected, rel=1e-12)
    assert seen == [6, 6, 3, 3]


def test_a_loss_that_is_not_finite_stops_the_run(student, rows):
    settings = TrainingSettings(epochs=1)
    adapted = add_lora(student.model, [1], settings)
    with torch.no_grad():
        adapted.get_base_model().model.norm.weight[0] = float("nan")
    with pytest.raises(FloatingPointError, match=r"first step .* not finite, as its model\.norm\.weight"):
        FineTuning(Architecture(adapted), encode(rows, student.tokenizer, 64), settings).run()


def test_the_rate_warms_up_and_falls_to_zero(student, rows):
    def rates(n_examples):
        settings = TrainingSettings(epochs=1, batch_size=1, learning_rate=1.0, warmup_ratio=0.03)
        training = FineTuning(Architecture(add_lora(student.model, [1], settings)), examples * n_examples, settings)
        assert training.steps == n_examples
        return [training.rate.factor(step) for step in range(1, n_examples + 1)]

    examples = encode(rows[:1], student.tokenizer, 64)
    assert rates(100) == pytest.approx([1 / 3, 2 / 3, 1, *((97 - i) / 97 for i in range(97))])
    assert rates(48) == pytest.approx([1, *((47 - i) / 47 for i in range(47))])  # 3% of 48 steps is one step
    assert rates(16) == pytest.approx([(16 - i) / 16 for i in range(16)])  # and of 16 none
