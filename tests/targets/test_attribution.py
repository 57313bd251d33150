"""Attribution against gradients by hand, and over processes."""

import os
from contextlib import ExitStack
from functools import partial

import pytest
import torch
import torch.distributed as dist
from helpers.processes import in_processes

from semalign.data.rows import batches, encode
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.targets import attribution_methods
from semalign.targets.attribution import attribute_layers, attribute_units
from semalign.targets.attribution_methods import METHODS

INTERFACES = ["attention", "mlp", "residual", "layer"]


@pytest.fixture
def examples(rows, tokenizer):
    return encode(rows, tokenizer, 64)


def literal(model, batch, interface):
    """Gradient x activation by torch.autograd, one example at a time."""
    architecture = Architecture(model)
    layers = range(1, architecture.n_layers + 1)
    signed, absolute = torch.zeros(len(layers)).double(), torch.zeros(len(layers)).double()
    for i in range(len(batch["input_ids"])):
        one = {name: value[i : i + 1] for name, value in batch.items()}
        with capture(architecture, layers, interface) as states:
            log_probabilities = model(one["input_ids"], one["attention_mask"]).logits.log_softmax(-1)
        labels = one["labels"][0, 1:]
        objective = sum(log_probabilities[0, t, y] for t, y in enumerate(labels) if y != -100)
        # What a layer adds has the gradient of the layer's output.
        with capture(architecture, layers, "layer" if interface == "residual" else interface) as outputs:
            log_probabilities = model(one["input_ids"], one["attention_mask"]).logits.log_softmax(-1)
        objective = sum(log_probabilities[0, t, y] for t, y in enumerate(labels) if y != -100)
        gradients = torch.autograd.grad(objective, [outputs[k] for k in layers])
        for k, gradient in zip(layers, gradients, strict=True):
            product = gradient * states[k].detach()
            signed[k - 1] += product.sum() / len(batch["input_ids"])
            absolute[k - 1] += product.abs().sum() / len(batch["input_ids"])
    return {"signed": signed.float(), "absolute": absolute.float()}


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("aggregation", ["signed", "absolute"])
def test_scores_are_gradient_times_activation(teacher, examples, interface, aggregation):
    some = examples[:5]
    expected = literal(teacher.model, next(iter(batches(some, 5))), interface)[aggregation]
    scores = attribute_layers(teacher, batches(some, 2), interface, aggregation=aggregation)
    assert scores.shape == (5,)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("aggregation", ["signed", "absolute"])
def test_heads_are_scored_before_the_matrix_that_mixes_them(teacher, examples, aggregation):
    """What the two heads of a layer give is the output matrix's input, each in its half of the channels."""
    some, mixers = examples[:3], [layer.self_attn.o_proj for layer in teacher.model.model.layers]
    expected = torch.zeros(len(mixers), 2, dtype=torch.float64)
    for example in some:
        given = {}
        with ExitStack() as hooks:
            for k, mixer in enumerate(mixers):
                keep = partial(lambda k, given, module, inputs: given.update({k: inputs[0]}), k, given)
                hooks.callback(mixer.register_forward_pre_hook(keep).remove)
            logits = teacher.model(torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
        said = sum(logits[t, example.input_ids[t + 1]] for t in example.positions())
        for k, gradient in enumerate(torch.autograd.grad(said, list(given.values()))):
            product = (gradient * given[k])[0].detach()
            halves = torch.stack([product[:, :8], product[:, 8:]])
            expected[k] += (halves.abs() if aggregation == "absolute" else halves).sum((1, 2)) / len(some)
    found = attribute_units(teacher, batches(some, 2))[aggregation]
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    best = attribute_layers(teacher, batches(some, 2), "heads", aggregation=aggregation)
    torch.testing.assert_close(best, found.max(1).values)


def test_nothing_is_left_behind(teacher, examples, monkeypatch):
    monkeypatch.setattr(attribution_methods, "NODES", 2)
    flags = [p.requires_grad for p in teacher.model.parameters()]
    asked = [(interface, "gradient_x_activation") for interface in INTERFACES] + [("heads", name) for name in METHODS]
    for interface, method in asked:
        attribute_layers(teacher.model, batches(examples[:1], 1), interface, method=method)
    assert [p.requires_grad for p in teacher.model.parameters()] == flags
    assert all(p.grad is None for p in teacher.model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in teacher.model.modules())
    assert not any("forward" in vars(m) for m in teacher.model.modules())


def test_bad_requests_are_errors(teacher, examples):
    batch = next(iter(batches(examples, 4)))
    with pytest.raises(ValueError, match="unknown aggregation"):
        attribute_layers(teacher, [batch], aggregation="mean")
    with pytest.raises(ValueError, match="unknown attribution method 'gradient': choose gradient_x_activation or"):
        attribute_layers(teacher, [batch], method="gradient")
    with pytest.raises(ValueError, match="unknown interface"):
        attribute_layers(teacher, [batch], "head")
    with pytest.raises(ValueError, match="no supervised token"):
        attribute_layers(teacher, [])


def test_two_processes_share_the_batches(teacher, examples, tmp_path):
    """They are those of a group that the caller has made, without what a launcher tells its processes."""

    def work():
        rank = int({name: os.environ.pop(name) for name in processes.LAUNCHED}["RANK"])
        dist.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=rank, world_size=2)
        scores = attribute_layers(teacher, batches(examples, 3), "mlp")
        found = dist.get_backend(), dist.get_world_size(), dist.get_rank(), scores
        dist.destroy_process_group()
        return found

    (*first, ours), (*second, theirs) = in_processes(2, work)
    assert first == ["gloo", 2, 0] and second == ["gloo", 2, 1]
    assert torch.equal(ours, theirs)
    alone = attribute_layers(teacher, batches(examples, 3), "mlp")
    torch.testing.assert_close(ours, alone, rtol=1e-6, atol=1e-7)
