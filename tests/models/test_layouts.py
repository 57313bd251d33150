"""The table of layouts: factors that some architectures have in their residual stream and logits."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, make_architecture

from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.layouts import LAYOUTS

IDS = torch.tensor([[5, 6, 7, 8]])
NEW = """stablelm helium ernie4_5 seed_oss hunyuan_v1_dense starcoder2 nemotron apertus glm glm4 exaone4 phi mixtral
qwen2_moe qwen3_moe deepseek_v3 granite cohere cohere2""".split()


def test_all_architectures_that_were_tried_are_in_the_table():
    assert set(NEW) < set(LAYOUTS)


@torch.no_grad()
def test_what_granite_adds_has_its_multiplier():
    architecture = Architecture(make_architecture("granite", **SPECIAL["granite"]))
    assert architecture.residual_scale == 0.22 and architecture.logit_scale == 1 / 8
    outputs = []
    handle = architecture.layer(2).mlp.register_forward_hook(lambda module, args, output: outputs.append(output))
    with capture(architecture, [2], "mlp") as states:
        architecture.model(input_ids=IDS)
    handle.remove()
    assert torch.equal(states[2], 0.22 * outputs[0])


@torch.no_grad()
@pytest.mark.parametrize(("kind", "scale"), [("granite", 1 / 8), ("cohere", 0.25), ("cohere2", 0.25)])
def test_logits_have_the_factor_of_the_configuration(kind, scale):
    architecture = Architecture(make_architecture(kind, **SPECIAL[kind]))
    states = architecture.run(input_ids=IDS)
    torch.testing.assert_close(architecture.logits(states), scale * states @ architecture.head_weight.T)
    assert architecture.logits_are_linear
    wide = architecture.logits(states.float())  # by the other path
    torch.testing.assert_close(wide, architecture.logits(states).float(), rtol=1e-5, atol=1e-5)


def test_other_architectures_have_no_factor():
    architecture = Architecture(make_architecture("llama", **SMALL))
    assert architecture.residual_scale == architecture.logit_scale == 1
    states = torch.randn(2, 16, dtype=torch.float64)
    assert architecture.added(states) is states
