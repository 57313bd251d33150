"""The change of weights against merged weights, of LoRA and of plain models."""

import copy

import pytest
import torch
from helpers.models import make_llama, randomise

from semalign.settings import TrainingSettings
from semalign.training.lora import Factors, add_lora, plain_lora
from semalign.training.weight_change import weight_change


def forbidden():
    raise AssertionError("the original is not needed")


def test_the_change_of_lora_is_that_of_merged_weights(student):
    adapted = add_lora(student.model, [1, 3], TrainingSettings(rank=3, lora_alpha=6))
    assert weight_change(adapted, forbidden) == 0  # B is zero at first
    randomise(adapted)
    found = weight_change(adapted, forbidden)
    merged, plain = copy.deepcopy(adapted).merge_and_unload(), student.model.state_dict()
    matrices = ("mlp.up_proj", "mlp.down_proj", "self_attn.v_proj", "self_attn.o_proj")
    names = [f"model.layers.{k}.{matrix}.weight" for k in (0, 2) for matrix in matrices]
    whole = torch.cat([plain[name].flatten() for name in names])
    change = torch.cat([merged.state_dict()[name].flatten() for name in names]) - whole
    assert found == pytest.approx((change.norm() / whole.norm()).item(), rel=1e-4)
    assert found > 0


def test_ranks_and_shapes_may_differ(student):
    name, other = "model.layers.1.mlp.up_proj", "model.layers.3.self_attn.o_proj"
    matrices = {each: student.model.get_submodule(each).weight.detach() for each in (name, other)}
    changes = {name: Factors(matrices[name], torch.eye(12)), other: Factors(torch.zeros(12, 2), torch.ones(2, 12))}
    whole = sum(float(matrix.square().sum()) for matrix in matrices.values())
    expected = (float(matrices[name].square().sum()) / whole) ** 0.5  # one is doubled, the other stays
    assert weight_change(plain_lora(student.model, changes), forbidden) == pytest.approx(expected, rel=1e-5)


def test_a_plain_model_is_compared_where_it_differs(student):
    changed = copy.deepcopy(student.model)
    assert weight_change(changed, lambda: student.model) == 0
    with torch.no_grad():
        changed.model.layers[1].mlp.up_proj.weight.mul_(1.25)
    assert weight_change(changed, lambda: student.model) == pytest.approx(0.25, rel=1e-6)
    assert weight_change(changed.double(), lambda: student.model) == pytest.approx(0.25, rel=1e-6)


def test_a_parameter_that_is_new_or_of_another_shape_counts_as_changed_from_zero(student):
    changed = copy.deepcopy(student.model)
    changed.resize_token_embeddings(changed.config.vocab_size + 2, mean_resizing=False)
    changed.register_parameter("gate", torch.nn.Parameter(torch.ones(3)))
    assert weight_change(changed, lambda: student.model) is None  # nothing that was there before has changed
    with torch.no_grad():
        changed.model.layers[1].mlp.up_proj.weight.mul_(2)
    old = float(student.model.model.layers[1].mlp.up_proj.weight.detach().square().sum())
    new = [changed.get_input_embeddings().weight, changed.get_output_embeddings().weight, changed.gate]
    added = sum(float(each.detach().double().square().sum()) for each in {id(each): each for each in new}.values())
    assert weight_change(changed, lambda: student.model) == pytest.approx(((old + added) / old) ** 0.5, rel=1e-5)


def test_a_change_of_zeros_alone_has_no_ratio(student):
    before, after = copy.deepcopy(student.model), copy.deepcopy(student.model)
    with torch.no_grad():
        before.model.norm.weight.zero_()
    assert weight_change(after, lambda: before) is None


def test_a_head_that_is_no_longer_tied_is_compared_with_the_tied_one():
    tied = make_llama(48, 24, 2, 0, tie_word_embeddings=True)
    untied = copy.deepcopy(tied)
    untied.config.tie_word_embeddings = False
    untied.lm_head.weight = torch.nn.Parameter(tied.lm_head.weight.detach().clone())
    assert weight_change(untied, lambda: tied) == 0
    with torch.no_grad():
        untied.model.layers[1].mlp.up_proj.weight.mul_(1.25)
    assert weight_change(untied, lambda: tied) == pytest.approx(0.25, rel=1e-6)
