"""Activation checkpointing: the same gradients, bit for bit, from less memory."""

import pytest
import torch
from helpers.models import randomise

from semalign.data.rows import encode, pad
from semalign.models.activation_checkpointing import checkpointed
from semalign.models.architecture import INTERFACES, Architecture
from semalign.models.capture import capture, run_from, states_entering
from semalign.settings import TrainingSettings
from semalign.training.checks import adapter_dropout
from semalign.training.lora import add_lora


class Kept:
    """Bytes that the graph keeps for the backward pass, besides parameters."""

    def __init__(self, model):
        self.bytes, own = 0, {p.data_ptr() for p in model.parameters()}

        def pack(tensor):
            self.bytes += 0 if tensor.data_ptr() in own else tensor.numel() * tensor.element_size()
            return tensor

        self.hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)


def gradients(architecture, states, mask, interface, first, on):
    """Return the gradients of the adapter by a loss of captured and final states, and the bytes that the graph kept."""
    torch.manual_seed(3)
    kept = Kept(architecture.model)
    parameters = [p for p in architecture.model.parameters() if p.requires_grad]
    with adapter_dropout(architecture.model):
        with kept.hooks:
            if on:
                with checkpointed(architecture, first), capture(architecture, [first], interface) as seen:
                    final = run_from(architecture, first, states, mask)
            else:
                with capture(architecture, [first], interface) as seen:
                    final = run_from(architecture, first, states, mask)
            loss = seen[first].float().square().mean() + final.float().square().mean()
        found = torch.autograd.grad(loss, parameters)
    assert seen[first].shape == final.shape
    return found, kept.bytes


def prepared(model, layers):
    adapted = add_lora(model, layers, TrainingSettings(rank=2, lora_dropout=0.3))
    randomise(adapted)
    return Architecture(adapted)


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("first", [1, 2])
def test_gradients_are_the_same_with_dropout_and_less_is_kept(student, rows, interface, first):
    ids, mask = pad(encode(rows, student.tokenizer, 64))
    architecture = prepared(student.model, [first, 3])
    with torch.no_grad():
        states = states_entering(architecture, first, ids, mask)
    (plain, much), (ours, less) = (gradients(architecture, states, mask, interface, first, on) for on in (False, True))
    assert all(map(torch.equal, ours, plain)) and any(each.abs().sum() > 0 for each in ours)
    assert less < much / 3
    assert not any("forward" in vars(module) for module in architecture.model.modules())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_are_the_same_in_half_precision(student, rows, dtype):
    ids, mask = pad(encode(rows, student.tokenizer, 64))
    architecture = prepared(student.model.to(dtype), [2])
    with torch.no_grad():
        states = states_entering(architecture, 2, ids, mask)
    (plain, _), (ours, _) = (gradients(architecture, states, mask, "mlp", 2, on) for on in (False, True))
    assert all(map(torch.equal, ours, plain))


def test_every_architecture_gives_the_same_gradients(architecture):
    embeddings = torch.randn(2, 6, architecture.width, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    found = []
    for on in (False, True):
        if on:
            with checkpointed(architecture):
                final = architecture.run(mask, inputs_embeds=embeddings)
        else:
            final = architecture.run(mask, inputs_embeds=embeddings)
        found.append(torch.autograd.grad(final.square().sum(), embeddings)[0])
    assert torch.equal(*found)
