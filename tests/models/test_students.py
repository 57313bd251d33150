"""A model without some of its layers, against the same model with those layers passed over."""

from typing import Any

import pytest
import torch
from helpers.models import make_architecture
from transformers import AutoModelForCausalLM

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


@pytest.mark.parametrize("every", [0, 1, 6])
def test_removing_nothing_or_all_is_refused(teacher, every):
    with pytest.raises(ValueError, match=r"2\.\.5"):
        drop_layers(teacher, every)
