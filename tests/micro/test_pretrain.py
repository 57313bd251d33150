"""The members of the family: shortened, continued, and their training states found again."""

import pytest
import torch

from semalign.micro.pretrain import _changed, _state_folder, continued_model, new_model
from semalign.micro.recipe import Shape, load_recipe

SHAPE = Shape(layers=1, hidden=16, intermediate=16, heads=2)


def test_other_budget_keeps_the_stages_shares():
    recipe = load_recipe().model("micro-teacher")
    shorter = _changed(recipe, tokens=sum(stage.tokens for stage in recipe.stages) // 10, seed=5)
    assert shorter.seed == 5
    assert [stage.tokens * 10 for stage in shorter.stages] == [stage.tokens for stage in recipe.stages]


def test_continuing_an_absent_model_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="semalign pretrain micro-teacher"):
        continued_model(tmp_path / "micro-teacher", (), 0)


def test_continued_model_gets_a_row_for_each_added_token(tokenizer, tmp_path):
    model = new_model(SHAPE, tokenizer, 0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    wider, wider_tokenizer = continued_model(tmp_path, ("[PAD]",), 0)
    assert wider.get_output_embeddings().weight.shape[0] == len(wider_tokenizer) == len(tokenizer) + 1
    assert torch.equal(wider.get_input_embeddings().weight[:-1], model.get_input_embeddings().weight)


def test_a_training_state_is_found_by_the_same_initial_weights_only(tmp_path, monkeypatch):
    monkeypatch.setattr("semalign.micro.pretrain.cache_dir", lambda: tmp_path)
    recipe = load_recipe()
    coder = recipe.model("micro-coder")
    first, again, other = (_state_folder("micro-coder", recipe, coder, 1, weights) for weights in ("a", "a", "b"))
    assert first == again
    assert first != other
