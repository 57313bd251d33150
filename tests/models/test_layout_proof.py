"""A layout that does not hold for a model is found on two tokens, in every type of numbers."""

from dataclasses import replace

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture
from transformers import AutoConfig, AutoModelForCausalLM

from semalign.models import layout_proof
from semalign.models.architecture import Architecture
from semalign.models.layouts import LAYOUTS, Layout


def made(kind, **settings):
    return make_architecture(kind, **{**SPECIAL.get(kind, SMALL), **settings})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", TYPES)
def test_every_layout_of_the_table_holds_in_every_type(kind, dtype):
    Architecture(made(kind).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("kind", "layout", "message"),
    [
        # A norm behind the sub-layer is left out.
        ("gemma2", Layout(), r"input \+ attention \+ MLP is not the output of layer 1"),
        ("glm4", LAYOUTS["glm"], r"input \+ attention \+ MLP is not the output of layer 1"),
        # A factor is left out.
        ("granite", replace(LAYOUTS["granite"], residual_scale=None), r"\+ MLP is not the output of layer 1"),
        (
            "granite",
            replace(LAYOUTS["granite"], logit_divisor=None),
            "the logits of the final states are not the model",
        ),
        ("cohere", Layout(), "the logits of the final states are not the model's"),
        # A module that writes nothing to the stream.
        ("llama", Layout(mlp="mlp.up_proj"), "MLP is not the output|must match"),
        ("qwen3", Layout(attention="post_attention_layernorm"), r"\+ MLP is not the output of layer 1"),
    ],
)
def test_a_wrong_layout_is_refused(kind, layout, message, dtype):
    settings = {"intermediate_size": 16} if layout.mlp == "mlp.up_proj" else {}
    model = made(kind, **settings).to(dtype)
    with pytest.raises(ValueError, match=f"the layout of '{kind}' does not hold for this .*{message}") as error:
        Architecture(model, layout)
    assert "\n" not in str(error.value) and "--include FOLDER" in str(error.value)
    with pytest.raises(ValueError, match="does not hold"):  # the first refusal does not make it known
        Architecture(model, layout)


def test_a_module_that_does_not_run_is_named():
    model = made("llama")
    for layer in model.model.layers:
        layer.idle = torch.nn.Linear(16, 16).double()
    with pytest.raises(ValueError, match="layer 1 does not run its mlp as a module"):
        Architecture(model, Layout(mlp="idle"))


def test_a_layer_without_a_module_of_the_layout_is_named():
    model = made("llama")
    del model.model.layers[1].mlp
    with pytest.raises(ValueError, match=r"LlamaForCausalLM does not match its layout: .*layer 2"):
        Architecture(model)


def test_the_proof_runs_once_and_leaves_nothing(monkeypatch):
    model, runs = made("llama"), []
    model.train()
    model.register_forward_hook(lambda *_: runs.append(1))
    model.get_input_embeddings().weight.requires_grad_(True)
    Architecture(model)
    Architecture(model)
    assert len(runs) == 1 and model.training and model.get_input_embeddings().weight.requires_grad
    assert not any(m._forward_hooks for m in model.model.modules())


def test_a_model_without_weights_is_not_tried():
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=64, **SMALL))
    assert Architecture(model).n_layers == 3
    assert model not in layout_proof._proven


def test_weights_that_are_not_finite_are_left_to_other_checks():
    model = made("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0, 0] = torch.nan
    Architecture(model)
