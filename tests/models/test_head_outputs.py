"""What attention heads add, of every architecture: slices of the mixing matrix, whose sum is what attention adds."""

import pytest
import torch
from helpers.models import randomise

from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.head_outputs import added_by_heads, check_heads
from semalign.settings import TransferSettings
from semalign.training.lora import add_lora

IDS = torch.randint(3, 64, (2, 9), generator=torch.Generator().manual_seed(0))


def test_heads_add_up_to_what_attention_adds(architecture):
    layers = range(1, architecture.n_layers + 1)
    if "norm" in architecture.layout.attention:
        with pytest.raises(ValueError, match="normalise what attention adds"), capture(architecture, layers, "heads"):
            pass
        return
    with (
        torch.no_grad(),
        capture(architecture, layers, "heads") as heads,
        capture(architecture, layers, "attention") as whole,
    ):
        architecture.model(IDS)
    for k in layers:
        bias = getattr(architecture.head_mixer(k), "bias", None)
        added = 0 if bias is None else architecture.added(bias)
        assert heads[k].shape == (*IDS.shape, architecture.n_heads, whole[k].shape[-1])
        torch.testing.assert_close(heads[k].sum(-2) + added, whole[k])


def test_a_head_adds_its_slice_of_the_matrix_with_the_adapter(student):
    model = add_lora(student.model, [2], TransferSettings(rank=2))
    randomise(model)
    adapted = Architecture(model)
    mixer, z = adapted.head_mixer(2), torch.randn(3, 12, dtype=torch.float64)
    lora = mixer.lora_B["default"].weight @ mixer.lora_A["default"].weight * mixer.scaling["default"]
    matrix, width = mixer.base_layer.weight + lora, 12 // adapted.n_heads
    found = added_by_heads(mixer, z, adapted.n_heads)
    for head in range(adapted.n_heads):
        own = slice(head * width, (head + 1) * width)
        torch.testing.assert_close(found[:, head], z[:, own] @ matrix[:, own].T)


def test_models_with_other_numbers_of_heads_are_refused(student, monkeypatch):
    other = Architecture(student.model)
    check_heads(other, Architecture(student.model))
    monkeypatch.setattr(Architecture, "n_heads", property(lambda self: 3 if self is other else 2))
    with pytest.raises(ValueError, match="these models have 2 and 3 of them: compare at attention"):
        check_heads(other, Architecture(student.model))
