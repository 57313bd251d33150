"""Gated feed-forward layers and grouped attention: which columns belong to a value, and which models have them."""

import pytest
import torch
from helpers.models import make_architecture, make_llama

from semalign.methods.laten.gated import Grouping, check_gated, grouping, neuron_counts
from semalign.methods.laten.neurons import attribute_neurons
from semalign.models.architecture import Architecture

TEXTS = [(5, 9, 30, 2, 17), (40, 3, 3, 21)]
SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
SCALED = {"granite": {"residual_multiplier": 0.5}}  # what is written is multiplied first
GROUPED = {**SMALL, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": 0}


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


@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen2", "qwen3", "gemma", "smollm3"])
def test_llama_like_models_are_taken(model_type):
    architecture = Architecture(make_architecture(model_type, **GROUPED))
    check_gated(architecture, "teacher")
    scores = attribute_neurons(architecture, TEXTS)
    assert scores["ffn"].neurons.shape == (2, 24)
    assert scores["attention"].neurons.shape == (2, 8)


@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neox", "gemma2", "phi3", "granite"])
def test_others_are_refused(model_type):
    config = {"n_embd": 16, "n_layer": 2, "n_head": 2} if model_type == "gpt2" else GROUPED
    with pytest.raises(ValueError, match=r"Llama-like models only, and the teacher is a .*use semalign\.transfer"):
        check_gated(Architecture(make_architecture(model_type, **config, **SCALED.get(model_type, {}))), "teacher")
