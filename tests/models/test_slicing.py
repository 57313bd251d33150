"""A narrower model against the original: at full width the same, below it what projecting the states gives."""

import pytest
import torch
from helpers.models import make_architecture, make_llama
from transformers import AutoModelForCausalLM

from semalign.data.rows import encode
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel
from semalign.models.slicing import principal_directions, rotated, slice_width

FLOAT32 = {"atol": 1e-5, "rtol": 1e-3}  # norms compute in it


def _with_gains(model):
    """Give every norm a gain of its own, so that one left out would show."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.copy_(0.5 + torch.rand(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def _logits(model, ids=((3, 4, 5, 6), (7, 8, 9, 3))):
    with torch.no_grad():
        return model(torch.tensor(ids)).logits


@pytest.mark.parametrize("kind", ["llama", "tied", "qwen2", "qwen3"])
def test_at_full_width_it_is_the_same_function(kind, tokenizer, rows):
    size = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4}
    size |= {"num_key_value_heads": 2, "head_dim": 8, "vocab_size": len(tokenizer), "initializer_range": 0.2}
    tied = kind == "tied"
    kind = "llama" if tied else kind
    bias = {"attention_bias": True, "mlp_bias": True} if kind == "llama" else {}
    model = _with_gains(make_architecture(kind, **size, **bias, tie_word_embeddings=tied))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    original = LanguageModel(model, tokenizer)
    student = slice_width(original, rows, 16)
    torch.testing.assert_close(_logits(student.model), _logits(model), **FLOAT32)
    assert not torch.allclose(student.model.get_input_embeddings().weight, model.get_input_embeddings().weight)


def test_directions_are_those_of_the_states_before_every_norm(teacher, rows):
    basis = principal_directions(teacher, rows[:1])
    ids = torch.tensor([list(encode(rows[:1], teacher.tokenizer, 64)[0].input_ids)])
    inputs = []
    norms = [m for name, m in teacher.model.named_modules() if name.endswith("norm")]
    for norm in norms:
        norm.register_forward_pre_hook(lambda _module, given: inputs.append(given[0][0]))
    with torch.no_grad():
        teacher.model(ids)
    states = torch.nn.functional.normalize(torch.cat(inputs), dim=-1)
    captured = (states @ basis).square().sum(0)
    torch.testing.assert_close(captured.sum(), torch.tensor(float(len(states)), dtype=torch.float64))
    values = torch.linalg.svdvals(states).square()
    torch.testing.assert_close(captured[: len(values)], values)


def test_a_narrow_copy_is_the_model_with_its_stream_projected(teacher, rows):
    """It computes what the model of full width does with nothing in the directions that were left out."""
    model = _with_gains(teacher.model)
    architecture = Architecture(model)
    basis = principal_directions(teacher, rows)
    narrow = basis.clone()
    narrow[:, 12:] = 0  # the same width, with nothing in the last directions
    projected = copy_with(model, rotated(architecture, narrow))
    student = slice_width(teacher, rows, 12).model
    torch.testing.assert_close(_logits(student), _logits(projected), **FLOAT32)
    assert student.config.hidden_size == 12
    assert student.get_input_embeddings().weight.shape[1] == 12


def copy_with(model, weights):
    other = AutoModelForCausalLM.from_config(model.config, dtype=torch.float64).eval()
    other.load_state_dict(weights)
    return other


def test_saves_and_loads_as_a_plain_folder(teacher, rows, tmp_path):
    student = slice_width(teacher, rows, 12).model
    student.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float64)
    assert torch.equal(_logits(again), _logits(student))


def test_more_directions_are_nearer_to_the_model(tokenizer, rows):
    model = LanguageModel(make_llama(len(tokenizer), 32, 2, seed=3), tokenizer)
    gaps = [(_logits(slice_width(model, rows, w).model) - _logits(model.model)).norm() for w in (8, 16, 24, 30, 32)]
    assert gaps == sorted(gaps, reverse=True)


def test_bad_widths_and_other_architectures_are_refused(teacher, rows, tokenizer):
    for width in (0, 7, 18):
        with pytest.raises(ValueError, match="multiple of 2"):
            slice_width(teacher, rows, width)
    gpt2 = make_architecture("gpt2", n_embd=16, n_layer=1, n_head=2)
    with pytest.raises(ValueError, match="gpt2 cannot be rotated: only llama"):
        slice_width(LanguageModel(gpt2, tokenizer), rows, 8)
