"""Integrated gradients against captum's own, ablation against models without the weights, and how the two agree."""

import copy

import pytest
import torch
from captum.attr import LayerIntegratedGradients

from semalign.data.rows import batches, encode
from semalign.targets import attribution_methods
from semalign.targets.attribution import attribute_layers, attribute_units


@pytest.fixture
def some(rows, tokenizer):
    return encode(rows, tokenizer, 64)[:2]


@pytest.fixture
def few_nodes(monkeypatch):
    monkeypatch.setattr(attribution_methods, "NODES", 3)


def log_likelihood(model, embeddings, example):
    logits = model(inputs_embeds=embeddings).logits.log_softmax(-1)
    return sum(logits[:, t, example.input_ids[t + 1]] for t in example.positions())


def scores(model, examples, *arguments, **options):
    return attribute_layers(model, batches(examples, 2), *arguments, **options).double()


@pytest.mark.parametrize(("interface", "aggregation"), [("mlp", "absolute"), ("layer", "signed")])
def test_integrated_gradients_are_those_of_captum(few_nodes, teacher, some, interface, aggregation):
    """Embeddings of zero give every layer of this model a zero activation, which is captum's baseline then."""
    model, expected = teacher.model, torch.zeros(5, dtype=torch.float64)
    for example in some:
        embeddings = model.get_input_embeddings()(torch.tensor([example.input_ids]))
        for k, layer in enumerate(model.model.layers):
            module = layer if interface == "layer" else layer.mlp.down_proj
            by_captum = LayerIntegratedGradients(lambda e, x=example: log_likelihood(model, e, x), module)
            steps = attribution_methods.NODES
            product = by_captum.attribute(embeddings, n_steps=steps, method="gausslegendre").detach()
            expected[k] += (product.abs() if aggregation == "absolute" else product).sum() / len(some)
    found = scores(teacher, some, interface, aggregation=aggregation, method="integrated_gradients")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("aggregation", ["signed", "absolute"])
def test_an_ablation_is_the_fall_without_the_weights(teacher, some, aggregation):
    def without(module_of):
        falls = torch.zeros(5, dtype=torch.float64)
        for k in range(5):
            model = copy.deepcopy(teacher.model)
            with torch.no_grad():
                weight, columns = module_of(model.model.layers[k])
                weight[:, columns] = 0
                for example in some:
                    ids = torch.tensor([example.input_ids])
                    whole, less = (
                        log_likelihood(m, m.get_input_embeddings()(ids), example) for m in (teacher.model, model)
                    )
                    fall = (whole - less).item()
                    falls[k] += (abs(fall) if aggregation == "absolute" else fall) / len(some)
        return falls

    options = {"aggregation": aggregation, "method": "ablation"}
    expected = without(lambda layer: (layer.mlp.down_proj.weight, slice(None)))
    torch.testing.assert_close(scores(teacher, some, "mlp", **options), expected, rtol=1e-5, atol=1e-6)
    second = without(lambda layer: (layer.self_attn.o_proj.weight, slice(8, 16)))
    heads = attribute_units(teacher, batches(some, 2), method="ablation")[aggregation].double()
    torch.testing.assert_close(heads[:, 1], second, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_signed_integrated_gradients_add_up_to_the_ablation(teacher, some, monkeypatch):
    monkeypatch.setattr(attribution_methods, "NODES", 16)
    by_path = scores(teacher, some, "mlp", aggregation="signed", method="integrated_gradients")
    by_removal = scores(teacher, some, "mlp", aggregation="signed", method="ablation")
    torch.testing.assert_close(by_path, by_removal, rtol=2e-2, atol=1e-2)


@pytest.mark.slow
def test_the_heads_of_a_layer_share_its_integrated_gradients(few_nodes, teacher, some):
    """All heads without their outputs are the layer without its attention, which has no bias here."""
    options = {"aggregation": "signed", "method": "integrated_gradients"}
    heads = attribute_units(teacher, batches(some, 2), method=options["method"])["signed"]
    torch.testing.assert_close(heads.sum(1).double(), scores(teacher, some, "attention", **options))
