"""Measurements in the course of training: when they are taken, and that they leave nothing behind."""

import torch
from torch import nn

from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings
from semalign.training.finetuning import FineTuning
from semalign.training.lora import add_lora
from semalign.training.watching import Watch, unwatched


def test_only_the_chosen_steps_are_measured_without_dropout_or_gradients():
    model, seen = nn.Sequential(nn.Dropout(0.5)).train(), []

    def measure(step, student):
        seen.append((step, student.training, torch.is_grad_enabled()))
        torch.rand(3)
        return {"value": len(seen)}

    watch = Watch((0, 2), measure)
    watching, state = watch.of(model, lambda: {"more": 0.5}), torch.random.get_rng_state()
    for step in range(4):
        watching(step)
    assert watch.points == [{"step": 0, "value": 1, "more": 0.5}, {"step": 2, "value": 2, "more": 0.5}]
    assert seen == [(0, False, False), (2, False, False)] and model.training
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_watched_training_is_the_same_bit_for_bit(student, rows):
    settings, runs = TrainingSettings(epochs=2, batch_size=5, rank=2, lora_dropout=0.3, learning_rate=1e-2), []
    for steps in ((), (0, 1, 4, 6)):
        adapted = add_lora(student.model, [1, 3], settings)
        training = FineTuning(Architecture(adapted), encode(rows, student.tokenizer, 64), settings)
        watch = Watch(steps, lambda _, model: {"drawn": torch.rand(1).item(), "b": _of_b(model)})
        losses = training.run(watch.of(adapted) if steps else unwatched)
        runs.append((losses, [p.detach().clone() for p in training.parameters.values()], watch.points))
    assert runs[0][0] == runs[1][0] and all(map(torch.equal, runs[0][1], runs[1][1]))
    assert [point["step"] for point in runs[1][2]] == [0, 1, 4, 6]
    sizes = [point["b"] for point in runs[1][2]]
    assert sizes[0] == 0 and len(set(sizes)) == 4


def _of_b(model):
    return sum(p.square().sum().item() for name, p in model.named_parameters() if "lora_B" in name)
