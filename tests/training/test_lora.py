"""LoRA on some layers: which matrices, from which seed, and which of them train."""

import pytest
import torch
from helpers.models import make_llama

from semalign.models.architecture import Architecture
from semalign.settings import TrainingSettings, TransferSettings
from semalign.training.lora import Factors, add_lora, train_only


def adapted_names(model):
    return {name.split(".lora_")[0].split("layers.")[1] for name, _ in model.named_parameters() if "lora_A" in name}


def test_the_four_matrices_of_the_paper_or_all(student):
    four = adapted_names(add_lora(student.model, [2], TrainingSettings()))
    assert four == {"1.mlp.up_proj", "1.mlp.down_proj", "1.self_attn.v_proj", "1.self_attn.o_proj"}
    every = adapted_names(add_lora(student.model, [2, 4], TrainingSettings(), all_matrices=True))
    assert len(every) == 14 and {name[0] for name in every} == {"1", "3"}


def test_the_seed_of_the_settings_decides_and_the_callers_random_numbers_stay(student):
    state = torch.get_rng_state()
    first, again, other = (add_lora(student.model, [1], TrainingSettings(seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    name = "base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight"
    assert torch.equal(first.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_a_rank_above_every_side_of_the_matrices_is_refused(student):
    add_lora(student.model, [1], TrainingSettings(rank=24))  # the MLP is 24 wide
    with pytest.raises(ValueError, match="rank 25 is above 24"):
        add_lora(student.model, [1], TrainingSettings(rank=25))


def test_tied_students_stay_tied(tokenizer):
    model = make_llama(len(tokenizer), 12, 2, seed=0, tie_word_embeddings=True)
    base = add_lora(model, [1], TransferSettings()).get_base_model()
    assert base.lm_head.weight.data_ptr() == base.model.embed_tokens.weight.data_ptr()
    assert base.lm_head.weight.data_ptr() == model.lm_head.weight.data_ptr()


def test_factors_side_by_side_are_the_sum_of_the_changes():
    a, b = (Factors(torch.randn(5, rank).double(), torch.randn(rank, 4).double()) for rank in (2, 3))
    both = a.plus(b)
    assert both.right.shape == (5, 4)
    torch.testing.assert_close(both.left @ both.right, a.left @ a.right + b.left @ b.right)


def test_train_only_leaves_the_base_frozen(student):
    adapted = add_lora(student.model, [1, 2, 3, 4], TransferSettings(rank=2))
    train_only(Architecture(adapted), [2, 3])
    trainable = {name.split("layers.")[1][0] for name, p in adapted.named_parameters() if p.requires_grad}
    assert trainable == {"1", "2"}
    assert all("lora_" in name for name, p in adapted.named_parameters() if p.requires_grad)
