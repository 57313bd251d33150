"""What a pass from layer k on does not run can be away, and comes back as it was."""

import pytest
import torch
from helpers.models import make_llama, randomise

from semalign.models import parking
from semalign.models.architecture import Architecture
from semalign.models.capture import run_from, states_entering
from semalign.models.parking import parked
from semalign.settings import TrainingSettings
from semalign.training.lora import add_lora

IDS, MASK = torch.tensor([[5, 6, 7, 8]]), torch.ones(1, 4, dtype=torch.long)


@pytest.fixture
def nowhere(monkeypatch):
    """Put NaN, with which nothing can be computed, in place of what is parked; return what was there."""
    stored = []

    def moved(tensor, device):
        if tensor.isnan().all():
            return stored.pop(0)
        stored.append(tensor)
        return torch.full_like(tensor, torch.nan)

    monkeypatch.setattr(parking, "_moved", moved)
    monkeypatch.setattr(parking, "_can_be_parked", lambda model: True)
    return stored


def models(tied):
    student = make_llama(64, 16, 4, seed=0, tie_word_embeddings=tied)
    adapted = add_lora(student, [2, 3], TrainingSettings(rank=2))
    randomise(adapted)
    return Architecture(adapted), Architecture(student)


@torch.no_grad()
@pytest.mark.parametrize("tied", [True, False])
def test_a_pass_from_a_layer_on_needs_nothing_that_is_parked(nowhere, tied):
    adapted, student = models(tied)
    entering = states_entering(adapted, 3, IDS, MASK)
    expected = adapted.logits(run_from(adapted, 3, entering, MASK))
    weights = {name: p.clone() for name, p in adapted.model.named_parameters()}
    with parked([adapted, student], 3):
        away = {name for name, p in adapted.model.named_parameters() if p.isnan().all()}
        assert {name.split(".")[2] for name in away if "layers" in name} == {"0", "1"}
        assert any("lora_" in name for name in away)
        assert ("model.embed_tokens.weight" in away) is not tied
        assert all(p.isnan().all() for layer in student.layers[:2] for p in layer.parameters())
        assert len(nowhere) == len(away)  # what the two share is kept once
        assert torch.equal(adapted.logits(run_from(adapted, 3, entering, MASK)), expected)
    assert not nowhere
    assert all(torch.equal(p, weights[name]) for name, p in adapted.model.named_parameters())
    ours, theirs = (m.layers[0].mlp.up_proj.weight.data_ptr() for m in (adapted, student))
    assert ours == theirs  # shared as before
    assert torch.equal(states_entering(adapted, 3, IDS, MASK), entering)


@torch.no_grad()
def test_embeddings_on_another_device_do_not_draw_the_pass_there():
    adapted, _ = models(False)
    entering = states_entering(adapted, 3, IDS, MASK)
    expected = run_from(adapted, 3, entering, MASK)
    adapted.model.get_input_embeddings().to("meta")  # stands for a CPU beside a GPU
    assert torch.equal(run_from(adapted, 3, entering, MASK), expected)


def test_it_comes_back_after_an_error(nowhere):
    adapted, student = models(True)
    with pytest.raises(RuntimeError, match="stopped"), parked([adapted, student], 4):
        raise RuntimeError("stopped")
    assert not any(p.isnan().any() for p in adapted.model.parameters())


def test_on_a_cpu_nothing_moves():
    adapted, student = models(False)
    before = [p.data_ptr() for p in adapted.model.parameters()]
    with parked([adapted, student], 4):
        assert [p.data_ptr() for p in adapted.model.parameters()] == before
