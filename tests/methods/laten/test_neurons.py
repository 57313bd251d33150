"""Static neuron attribution: the vectorised scores against one neuron at a time, in float64."""

import copy

import pytest
import torch
from helpers.models import make_llama

from semalign.methods.laten import readout
from semalign.methods.laten.neurons import attribute_neurons, neuron_vectors, trace_last
from semalign.models.architecture import Architecture
from semalign.models.capture import capture

TEXTS = [(5, 9, 30, 2, 17), (40, 3, 3, 21)]
SHAPES = {
    "plain": {"num_attention_heads": 4, "num_key_value_heads": 4},
    "grouped": {"num_attention_heads": 4, "num_key_value_heads": 2},
    "one value head": {"num_attention_heads": 4, "num_key_value_heads": 1},
    "wide heads and biases": {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 6,
        "attention_bias": True,
    },
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def model(request):
    model = make_llama(60, 16, 3, seed=4, **request.param)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def log_probability(model, stream, token):
    normed = stream * torch.rsqrt(stream.square().mean() + model.config.rms_norm_eps) * model.model.norm.weight
    return torch.log_softmax(model.lm_head.weight @ normed, 0)[token]


@torch.no_grad()
def layer_by_layer(model, ids):
    """Yield for each layer the stream before and after attention, and both sub-layers' inner vectors and outputs."""
    hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    attention_seen = {}
    hooks = [
        layer.self_attn.o_proj.register_forward_pre_hook(lambda _, args, i=i: attention_seen.update({i: args[0]}))
        for i, layer in enumerate(model.model.layers)
    ]
    model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    for i, layer in enumerate(model.model.layers):
        entering, heads = hidden[i][0, -1], attention_seen[i][0, -1]
        attention = layer.self_attn.o_proj(heads)
        normed = layer.post_attention_layernorm(entering + attention)
        inner = torch.nn.functional.silu(layer.mlp.gate_proj(normed)) * layer.mlp.up_proj(normed)
        yield layer, entering, heads, attention, inner, layer.mlp.down_proj(inner)


@torch.no_grad()
def one_neuron_at_a_time(model, ids):
    """Return scores of FFN layers and neurons, attention layers and value dimensions, each by a plain loop."""
    token, config = ids[-1], model.config
    queries = config.num_attention_heads // config.num_key_value_heads
    found = [[], [], [], []]
    for layer, entering, heads, attention, inner, ffn in layer_by_layer(model, ids[:-1]):
        middle = entering + attention
        at_entry, at_middle = (log_probability(model, stream, token) for stream in (entering, middle))
        found[0].append(log_probability(model, middle + ffn, token) - at_middle)
        found[1].append([])
        for i in range(config.intermediate_size):
            vector = inner[i] * layer.mlp.down_proj.weight[:, i]
            found[1][-1].append(log_probability(model, middle + vector, token) - at_middle)
        found[2].append(log_probability(model, entering + attention, token) - at_entry)
        found[3].append([])
        for head in range(config.num_key_value_heads):
            for offset in range(config.head_dim):
                vector = torch.zeros_like(entering)
                for query in range(head * queries, (head + 1) * queries):
                    column = query * config.head_dim + offset
                    vector += heads[column] * layer.self_attn.o_proj.weight[:, column]
                found[3][-1].append(log_probability(model, entering + vector, token) - at_entry)
    return [torch.tensor(part) for part in found]


def test_vectorised_scores_equal_a_loop_over_neurons(model, monkeypatch):
    expected = [sum(parts) / 2 for parts in zip(*(one_neuron_at_a_time(model, ids) for ids in TEXTS), strict=True)]
    for at_once, in_cache in ((2**24, 2**18), (7 * 60, 3 * 60), (1, 1)):  # all neurons at once, 7 and 3, one at a time
        monkeypatch.setattr(readout, "LOGITS_AT_ONCE", at_once)
        monkeypatch.setattr(readout, "LOGITS_IN_CACHE", in_cache)
        scores = attribute_neurons(Architecture(model), TEXTS)
        for ours, plain in zip((*scores["ffn"], *scores["attention"]), expected, strict=True):
            assert ours.dtype == torch.float64
            torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_neurons_add_up_to_the_whole_sub_layer(model):
    architecture = Architecture(model)
    with capture(architecture, range(1, 4), "layer") as states:
        traces = trace_last(architecture, TEXTS[0])
    for k, trace in enumerate(traces, start=1):
        bias = architecture.layer(k).self_attn.o_proj.bias
        attention = neuron_vectors(architecture, k, "attention", trace).sum(0) + (0 if bias is None else bias)
        torch.testing.assert_close(attention, trace.attention, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(neuron_vectors(architecture, k, "ffn", trace).sum(0), trace.ffn)
        torch.testing.assert_close(trace.entering + trace.attention + trace.ffn, states[k][0, -1])


def test_no_hook_stays_and_no_weight_changes(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    attribute_neurons(Architecture(model), TEXTS)
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_half_precision_scores_are_computed_in_float32(model):
    exact = attribute_neurons(Architecture(copy.deepcopy(model).bfloat16().double()), TEXTS)
    scores = attribute_neurons(Architecture(model.bfloat16()), TEXTS)
    for kind in scores:
        assert torch.corrcoef(torch.stack([scores[kind].neurons.flatten(), exact[kind].neurons.flatten()]))[0, 1] > 0.99
