"""NaN and infinity are named by model and by weight or layer, wherever they arise."""

from math import isfinite

import pytest
import torch
from helpers.models import make_architecture, make_llama
from lm_eval.api.instance import Instance

from semalign import attribute_layers, run_method, transfer
from semalign.analysis.cka import CKAOptions, cka_matrix
from semalign.analysis.decomposition import resultant_cosine
from semalign.data.rows import batches, encode
from semalign.evaluation.transformers_engine import transformers_engine
from semalign.models.architecture import Architecture
from semalign.models.finite import (
    NotFiniteError,
    check_finite,
    check_logits,
    check_weights,
    damaged_weight,
    first_place,
)
from semalign.models.loading import LanguageModel
from semalign.models.slicing import slice_width
from semalign.training.finetuning import response_nll


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_damaged_weight_is_named(student, dtype, value):
    model = student.model.to(dtype)
    check_weights(model, "some-model")
    with torch.no_grad():
        model.model.layers[2].mlp.down_proj.weight[3, 5] = value
    assert damaged_weight(model) == "model.layers.2.mlp.down_proj.weight"
    with pytest.raises(NotFiniteError, match=r"^some-model: model\.layers\.2\.mlp\.down_proj\.weight holds NaN or inf"):
        check_weights(model, "some-model")


def overflowing(tokenizer, width=12, layers=4, seed=2):
    """Return a float16 model whose weights are finite, and whose MLP of layer 3 gives numbers above 65,504."""
    model = make_llama(len(tokenizer), width, layers, seed).half()
    with torch.no_grad():
        model.model.layers[2].mlp.down_proj.weight.mul_(1e4)
        model.model.layers[2].mlp.up_proj.weight.mul_(1e4)
    model.config.name_or_path = "folder/large-numbers"
    return LanguageModel(model, tokenizer)


def finite(model):
    """Return a model with the tokenizer of another, without its large numbers."""
    return LanguageModel(make_llama(len(model.tokenizer), 12, 4, 2), model.tokenizer)


MESSAGE = (
    r"^{} of large-numbers are not finite, first in the mlp output of layer 3 \(in float16\): load the model in "
    "bfloat16 or float32$"
)


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("the attribution scores", lambda m, rows: attribute_layers(m, batches(encode(rows, m.tokenizer, 64), 4))),
        ("the log-likelihoods", lambda m, rows: response_nll(Architecture(m.model), encode(rows, m.tokenizer, 64))),
        ("the states", lambda m, rows: cka_matrix(m, m, [r["prompt"] for r in rows], CKAOptions(block=8))),
        ("the states", lambda m, rows: resultant_cosine(m, [r["prompt"] for r in rows], {})),
        ("the states", lambda m, rows: slice_width(m, rows, 6)),
        ("the losses of the first step", lambda m, rows: run_method("sft", m, m, rows)),
        ("the sensitivities", lambda m, rows: run_method("seeking", m, m, rows, seed_examples=2)),
        ("the layer states", lambda m, rows: transfer(m, m, rows, teacher_layer=4, student_layer=4)),
        ("the student prefix", lambda m, rows: transfer(finite(m), m, rows, teacher_layer=4, student_layer=4)),
    ],
)
def test_an_overflow_is_named_by_model_and_layer(tokenizer, rows, what, call):
    with pytest.raises(NotFiniteError, match=MESSAGE.format(what)):
        call(overflowing(tokenizer), rows)


def test_laten_works_where_a_model_s_own_passes_overflow(tokenizer, rows):
    model = overflowing(tokenizer)  # its neurons are ranked, and its copy is trained, in float32
    losses = run_method("laten", model, model, rows, extract_size=2).record["losses"]
    assert losses and all(isfinite(value) for step in losses for value in step.values())


@pytest.mark.parametrize("kind", ["loglikelihood", "generate_until"])
def test_an_overflow_in_an_evaluation_is_no_answer(tokenizer, kind):
    given = ("what is", " a") if kind == "loglikelihood" else ("what is", {"until": ["."], "max_gen_toks": 4})
    asked = [Instance(kind, {}, given, 0)]
    with transformers_engine(overflowing(tokenizer), 2) as engine:
        with pytest.raises(NotFiniteError, match=MESSAGE.format("the logits")):
            getattr(engine, kind)(asked)


def test_a_weight_that_was_damaged_after_loading_is_named_where_it_shows(student, rows):
    with torch.no_grad():
        student.model.model.layers[1].self_attn.q_proj.weight[0, 0] = torch.nan
    with pytest.raises(NotFiniteError, match=r"as its model\.layers\.1\.self_attn\.q_proj\.weight holds NaN"):
        attribute_layers(student, batches(encode(rows, student.tokenizer, 64), 4))


def test_a_learning_rate_that_is_too_high_is_still_the_learning_rate(student, rows):
    with pytest.raises(FloatingPointError, match=r"not finite at step [2-9]: lower learning_rate"):
        run_method("sft", student, student, rows, learning_rate=1e300, batch_size=2, warmup_ratio=0)


def test_minus_infinity_is_a_logit_like_others(student):
    logits = torch.zeros(2, 5)
    logits[:, 3] = -torch.inf
    check_logits(logits, student.model, lambda: pytest.fail("nothing is wrong"))
    for value in (torch.nan, torch.inf):
        logits[1, 2] = value
        with pytest.raises(NotFiniteError, match="the logits of LlamaForCausalLM are not finite, although no state is"):
            check_logits(logits, student.model, lambda: None)


def test_a_model_without_a_layout_is_named_without_its_layer():
    model = make_architecture("opt", hidden_size=8, ffn_dim=8, num_hidden_layers=1, num_attention_heads=1)
    with pytest.raises(NotFiniteError, match="the logits of OPTForCausalLM are not finite: load it in a wider dtype"):
        check_logits(torch.tensor([torch.nan]), model, lambda: None)


def test_finite_numbers_cost_no_second_pass(student):
    check_finite(torch.ones(3), "the states", Architecture(student.model), lambda: pytest.fail("it ran again"))


def test_hooks_are_gone_when_the_place_is_found(architecture):
    with torch.no_grad():
        architecture.layer(2).get_submodule(architecture.layout.matrices[-1]).weight.fill_(torch.nan)
    ids = torch.tensor([[5, 6, 7]])
    assert "layer 2" in first_place(architecture, lambda: architecture.run(input_ids=ids))
    assert not any(m._forward_hooks for m in architecture.model.modules())
