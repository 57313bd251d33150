"""A model without some of its layers, against the same model with those layers passed over."""

from typing import Any

import pytest
import torch
from helpers.models import SMALL, SPECIAL, make_architecture
from transformers import AutoModelForCausalLM

from semalign.models import first_layers
from semalign.models.loading import LanguageModel
from semalign.models.slicing import slice_width
from semalign.models.students import drop_layers


def _logits_passing_over(model, numbers, ids):
    """Compute logits with some layers (counted from 1) replaced by the identity."""
    layers = model.get_decoder().layers
    kept = [layer.forward for layer in layers]
    try:
        for k in numbers:
            layers[k - 1].forward = lambda hidden_states, *args, **kwargs: hidden_states
        with torch.no_grad():
            return model(ids, use_cache=False).logits
    finally:
        for layer, forward in zip(layers, kept, strict=True):
            layer.forward = forward


def test_the_tokens_that_end_an_answer_stay(teacher, rows):
    teacher.model.generation_config.eos_token_id = [0, 7]
    assert drop_layers(teacher, 2).model.generation_config.eos_token_id == [0, 7]
    assert slice_width(teacher, rows, 12).model.generation_config.eos_token_id == [0, 7]


@pytest.mark.parametrize(("given", "removed"), [(2, [2, 4]), (3, [3]), (5, [5]), ([4, 1], [1, 4])])
def test_logits_are_those_without_the_layers(teacher, given, removed):
    student = drop_layers(teacher, given)
    ids = torch.tensor([teacher.tokenizer("what is 1+2?")["input_ids"]])
    with torch.no_grad():
        logits = student.model(ids).logits
    torch.testing.assert_close(logits, _logits_passing_over(teacher.model, removed, ids))
    assert student.model.config.num_hidden_layers == 5 - len(removed)


def test_layers_are_numbered_anew_and_generation_uses_its_cache(teacher):
    student = drop_layers(teacher, 2)
    numbers = [module.layer_idx for module in student.model.modules() if hasattr(module, "layer_idx")]
    assert numbers == [0, 1, 2]
    ids = torch.tensor([teacher.tokenizer("what is")["input_ids"]])
    options = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
    generate: Any = student.model.generate
    cached, uncached = (generate(ids, use_cache=use, **options) for use in (True, False))
    assert torch.equal(cached, uncached)


def test_the_original_is_not_touched_and_nothing_is_shared(teacher):
    before = {name: tensor.clone() for name, tensor in teacher.model.state_dict().items()}
    student = drop_layers(teacher)
    with torch.no_grad():
        for parameter in student.model.parameters():
            parameter.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.model.state_dict().items())
    assert teacher.model.config.num_hidden_layers == 5


def test_saves_and_loads_as_a_plain_folder(teacher, tmp_path):
    student = drop_layers(teacher)
    student.model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    ids = torch.tensor([[3, 4, 5]])
    with torch.no_grad():
        assert torch.equal(again(ids).logits, student.model(ids).logits)


def test_settings_of_single_layers_move_with_their_layers(tokenizer):
    kinds = ["sliding_attention", "full_attention", "full_attention", "sliding_attention"]
    model = make_architecture(
        "gemma2",
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        layer_types=kinds,
    )
    student = drop_layers(LanguageModel(model, tokenizer), 3)
    assert student.model.config.layer_types == [kinds[0], kinds[1], kinds[3]]


BY_NUMBER = [
    ("qwen2_moe", {"mlp_only_layers": [1]}),
    ("qwen2_moe", {"mlp_only_layers": [0, 1, 2, 3]}),
    ("qwen2_moe", {"mlp_only_layers": [3], "decoder_sparse_step": 2}),
    ("qwen3_moe", {"mlp_only_layers": [0, 3]}),
    ("qwen3_moe", {"mlp_only_layers": [], "decoder_sparse_step": 3}),
    ("deepseek_v3", {"first_k_dense_replace": 2}),
    ("smollm3", {"no_rope_layer_interval": 2}),
]


@pytest.mark.parametrize("removed", [[1], [3], [2, 3], [4]])
@pytest.mark.parametrize(("model_type", "settings"), BY_NUMBER)
def test_layers_of_several_kinds_keep_their_kind(model_type, settings, removed, tokenizer, tmp_path):
    sizes = {**SPECIAL.get(model_type, SMALL), "num_hidden_layers": 4, "initializer_range": 0.5}
    given = make_architecture(model_type, **{**sizes, "vocab_size": len(tokenizer), **settings})
    student = drop_layers(LanguageModel(given, tokenizer), removed)
    ids = torch.tensor([tokenizer("what is 1+2?")["input_ids"]])
    expected = _logits_passing_over(given, removed, ids)
    with torch.no_grad():
        torch.testing.assert_close(student.model(ids).logits, expected)
        student.model.save_pretrained(tmp_path)
        options = {"dtype": torch.float64, "experts_implementation": "eager"}
        again = AutoModelForCausalLM.from_pretrained(tmp_path, **options)
        torch.testing.assert_close(again(ids).logits, expected)


def test_layers_that_their_number_scales_stay_only_where_they_are(tokenizer):
    sizes = {**SPECIAL["gpt2"], "vocab_size": len(tokenizer), "scale_attn_by_inverse_layer_idx": True}
    given = LanguageModel(make_architecture("gpt2", **sizes), tokenizer)
    with pytest.raises(ValueError, match=r"scale_attn_by_inverse_layer_idx gives .*: remove only the last layers") as e:
        drop_layers(given, [2])
    assert "\n" not in str(e.value)
    assert drop_layers(given, [3]).model.config.num_hidden_layers == 2


def test_a_dependence_that_is_not_known_is_seen_in_the_logits(tokenizer, monkeypatch):
    monkeypatch.setattr(first_layers, "BY_NUMBER", ())
    sizes = {**SPECIAL["gpt2"], "vocab_size": len(tokenizer), "scale_attn_by_inverse_layer_idx": True}
    given = LanguageModel(make_architecture("gpt2", initializer_range=0.5, **sizes), tokenizer)
    with pytest.raises(ValueError, match=r"depend on their numbers .* remove only the last ones .relative difference"):
        drop_layers(given, [1])


def test_weights_that_do_not_fit_are_one_line(tokenizer, monkeypatch):
    monkeypatch.setattr(first_layers, "LEADING", ())
    sizes = {**SPECIAL["deepseek_v3"], "vocab_size": len(tokenizer), "first_k_dense_replace": 2}
    with pytest.raises(ValueError, match=r"depend on their numbers .*: Error.*Missing key") as e:
        drop_layers(LanguageModel(make_architecture("deepseek_v3", **sizes), tokenizer), [1])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("every", [0, 1, 6])
def test_removing_nothing_or_all_is_refused(teacher, every):
    with pytest.raises(ValueError, match=r"2\.\.5"):
        drop_layers(teacher, every)
