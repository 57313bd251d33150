"""Every architecture of the table: its layers, their matrices and its norm."""

import pytest
import torch
from helpers.models import SMALL, make_architecture
from transformers.pytorch_utils import Conv1D

from semalign.models.architecture import Architecture

EXPERTS = ["mixtral", "qwen2_moe", "qwen3_moe"]
# Appendix A.2's matrices: up, down, value, output. Where a model has one matrix for several, that one.
ADAPTED = {
    "phi3": ["mlp.gate_up_proj", "mlp.down_proj", "self_attn.qkv_proj", "self_attn.o_proj"],
    "gpt2": ["mlp.c_fc", "mlp.c_proj", "attn.c_attn", "attn.c_proj"],
    "gpt_neox": ["mlp.dense_h_to_4h", "mlp.dense_4h_to_h", "attention.query_key_value", "attention.dense"],
    **{kind: ["mlp.gate_up_proj", "mlp.down_proj", "self_attn.v_proj", "self_attn.o_proj"] for kind in ("glm", "glm4")},
    "starcoder2": ["mlp.c_fc", "mlp.c_proj", "self_attn.v_proj", "self_attn.o_proj"],
    "phi": ["mlp.fc1", "mlp.fc2", "self_attn.v_proj", "self_attn.dense"],
    # Mixtures of experts: the attention only.
    **{kind: ["self_attn.v_proj", "self_attn.o_proj"] for kind in EXPERTS},
    "deepseek_v3": ["self_attn.kv_b_proj", "self_attn.o_proj"],
}
LIKE_LLAMA = ["mlp.up_proj", "mlp.down_proj", "self_attn.v_proj", "self_attn.o_proj"]


def test_lora_targets_are_the_four_matrices_of_their_layers(architecture):
    four = ADAPTED.get(architecture.model.config.model_type, LIKE_LLAMA)
    targets = architecture.lora_targets([2, 3])
    assert targets == [f"{architecture.layout.layers}.{i}.{path}" for i in (1, 2) for path in four]
    assert all(architecture.model.get_submodule(target).weight.ndim == 2 for target in targets)


def test_the_matrices_of_a_layer_are_all_that_are_linear(architecture):
    linear = {
        f"{architecture.layout.layers}.1.{path}"
        for path, module in architecture.layer(2).named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
    }
    targets = architecture.lora_targets([2], all_matrices=True)
    if (kind := architecture.model.config.model_type) in (*EXPERTS, "deepseek_v3"):
        linear = {name for name in linear if ".self_attn." in name}
    if kind == "deepseek_v3":  # a query has one matrix or two, as the configuration says
        linear = {name for name in linear if ".q_" not in name}
    assert sorted(targets) == sorted(linear)
    assert set(architecture.lora_targets([2])) <= linear


@pytest.mark.parametrize("k", [0, 4, -1])
def test_a_layer_outside_the_model_is_an_error(architecture, k):
    with pytest.raises(ValueError, match=r"layers 1\.\.3"):
        architecture.layer(k)


def test_an_unknown_architecture_says_how_to_add_it():
    with pytest.raises(ValueError, match=r"no layout for architecture 'opt'; known: llama.*--include FOLDER"):
        Architecture(make_architecture("opt", hidden_size=16, num_hidden_layers=1, ffn_dim=8, num_attention_heads=2))


def test_a_configuration_that_asks_for_tuples_changes_nothing():
    model, ids = make_architecture("llama", **SMALL), torch.tensor([[5, 6, 7]])
    expected = Architecture(model).run(input_ids=ids)
    model.config.return_dict = False
    assert torch.equal(Architecture(model).run(input_ids=ids), expected)


@torch.no_grad()
def test_padding_on_the_left_changes_nothing(architecture):
    architecture.model.float()  # the eager attention of Gemma 2 computes in float32, where a float64 mask is infinite
    row = torch.tensor([[5, 6, 7, 8]])
    ids, mask = torch.cat([torch.zeros(1, 3).long(), row], 1), torch.tensor([[0] * 3 + [1] * 4])
    padded = architecture.run(mask, input_ids=ids)[:, 3:]
    torch.testing.assert_close(padded, architecture.run(input_ids=row), rtol=1e-4, atol=1e-5)
