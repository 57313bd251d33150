"""Static neuron attribution: the vectorised scores against one neuron at a time, in float64."""

import copy

import pytest
import torch
from helpers.models import make_architecture, make_llama
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from semalign.methods.laten import neurons
from semalign.methods.laten.gated import Grouping, check_gated, grouping, neuron_counts
from semalign.methods.laten.neurons import attribute_neurons, log_probability_increase, neuron_vectors, trace_last
from semalign.methods.laten.useful_tokens import useful_texts
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel

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


@pytest.fixture(autouse=True)
def exact_norms(monkeypatch):
    """Let the norms of Llama compute in the states' own precision: they round to float32 in between."""

    def forward(norm, states):
        return norm.weight * states * torch.rsqrt(states.square().mean(-1, keepdim=True) + norm.variance_epsilon)

    monkeypatch.setattr(LlamaRMSNorm, "forward", forward)


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
    for logits_at_once in (2**24, 7 * 60, 1):  # all neurons at once, 7 at a time, one at a time
        monkeypatch.setattr(neurons, "LOGITS_AT_ONCE", logits_at_once)
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
    half = Architecture(model.bfloat16())
    stream, vectors = torch.randn(16), 1e-4 * torch.randn(5, 16)  # logits in bfloat16 would lose these
    found = log_probability_increase(half, stream, vectors, 3)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, log_probability_increase(Architecture(copy.deepcopy(model).float()), stream, vectors, 3)
    )
    scores = attribute_neurons(half, TEXTS)
    assert all(scores[kind].neurons.isfinite().all() for kind in scores)


def test_columns_of_a_value_dimension_are_those_that_read_it():
    assert Grouping(2, 1, 3).columns(torch.arange(6)).flatten().tolist() == [0, 1, 2, 3, 4, 5]
    # two query heads for each value head: heads 0 and 1 read value head 0, heads 2 and 3 value head 1
    assert Grouping(2, 2, 3).columns(torch.tensor([1, 3])).tolist() == [[1, 4], [6, 9]]
    grouped = Architecture(make_llama(60, 16, 1, seed=0, num_attention_heads=4, num_key_value_heads=2))
    assert grouping(grouped) == (2, 2, 4)
    assert neuron_counts(grouped) == {"ffn": 32, "attention": 8}


def test_changing_a_row_of_values_changes_just_its_columns_share():
    """The columns are right if moving a value row moves just what their columns read."""
    model = make_llama(60, 16, 1, seed=5, num_attention_heads=4, num_key_value_heads=2)
    seen = []
    hook = model.model.layers[0].self_attn.o_proj.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model(torch.tensor([TEXTS[0]]))
        model.model.layers[0].self_attn.v_proj.weight[6] += 1
        model(torch.tensor([TEXTS[0]]))
    hook.remove()
    moved = (seen[0] != seen[1]).any(1)[0].nonzero().flatten().tolist()
    assert moved == sorted(grouping(Architecture(model)).columns(torch.tensor([6]))[0].tolist())


def test_last_useful_token_is_before_closing_punctuation(tokenizer):
    model = LanguageModel(make_llama(len(tokenizer), 16, 1, seed=0), tokenizer)
    rows = [
        {"prompt": "a?", "response": " 1+1=2. \n"},
        {"prompt": "a?", "response": " 1+1=2"},
        {"prompt": "a?", "response": ".."},
    ]
    first, second, third = useful_texts(rows, model)
    assert first == second
    assert tokenizer.convert_ids_to_tokens(first[-1:]) == ["2"]
    assert tokenizer.convert_ids_to_tokens(third[-1:]) == ["."]
    with pytest.raises(ValueError, match="row 1 has nothing before its last token"):
        useful_texts([{"prompt": "", "response": "a"}], model)


SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
GROUPED = {**SMALL, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0}


@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen2", "qwen3", "gemma", "smollm3"])
def test_llama_like_models_are_taken(model_type):
    architecture = Architecture(make_architecture(model_type, **GROUPED))
    check_gated(architecture, "teacher")
    scores = attribute_neurons(architecture, TEXTS)
    assert scores["ffn"].neurons.shape == (2, 24)
    assert scores["attention"].neurons.shape == (2, 8)


@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neox", "gemma2", "phi3"])
def test_others_are_refused(model_type):
    config = {"n_embd": 16, "n_layer": 2, "n_head": 2} if model_type == "gpt2" else GROUPED
    with pytest.raises(ValueError, match=r"Llama-like models only, and the teacher is a .*use semalign\.transfer"):
        check_gated(Architecture(make_architecture(model_type, **config)), "teacher")
