"""The members of the family: shortened, continued, and their training states found again."""

import json

import pytest
import torch
from safetensors.torch import load_file

from semalign.micro import pretrain as module
from semalign.micro.cutting import narrowed, paired_layers
from semalign.micro.pretrain import _state_folder, continued_model, cut_model, new_model, pretrain
from semalign.micro.recipe import Cut, ModelRecipe, Recipe, Shape, Stage, Training, load_recipe
from semalign.micro.training import packed_rows
from semalign.models.loading import load_model

SHAPE = Shape(layers=1, hidden=16, intermediate=16, heads=2)
TRAINING = Training(
    row_length=33, batch_rows=2, micro_batch_rows=2, warmup_steps=1, final_learning_rate=0.1,
    matrix_learning_rate=0.02, vector_learning_rate=0.01, momentum=0.9, weight_decay=0.0, checkpoint_steps=1,
)  # fmt: skip
SIBLING = ModelRecipe(
    continues="parent", cut=Cut(layers=2, hidden=12, rows=3), seed=1, frozen=("lm_head.weight",),
    stages=(Stage(tokens=2 * TRAINING.tokens_per_step, mixture={"mmlu": 1.0}),),
)  # fmt: skip


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


@pytest.fixture
def family(tokenizer, tmp_path, monkeypatch):
    """A folder with a tiny parent of three layers, and a recipe of a sibling that is cut from it."""
    parent = new_model(SHAPE.model_copy(update={"layers": 3}), tokenizer, 0)
    parent.save_pretrained(tmp_path / "parent")
    tokenizer.save_pretrained(tmp_path / "parent")
    recipe = Recipe(training=TRAINING, models={"sibling": SIBLING})
    monkeypatch.setattr(module, "load_recipe", lambda: recipe)
    return tmp_path, recipe, parent


def test_a_cut_follows_the_layer_map_and_the_rows_of_the_first_stage(tokenizer, family):
    _, recipe, parent = family
    cut = cut_model(parent, tokenizer, recipe, SIBLING)
    rows, _ = packed_rows(TRAINING, SIBLING.stages[0], 1, tokenizer, range(3))
    expected = narrowed(parent, rows, 12).state_dict()
    assert paired_layers(3, 2) == [1, 3]
    for layer, source in enumerate((0, 2)):
        name = "model.layers.{}.mlp.up_proj.weight"
        assert torch.equal(cut.state_dict()[name.format(layer)], expected[name.format(source)])
    assert cut_model(parent, tokenizer, recipe, SIBLING.model_copy(update={"cut": None})) is parent


@pytest.mark.slow
def test_a_cut_model_is_trained_but_for_what_is_frozen(tokenizer, family):
    folder, recipe, parent = family
    before = cut_model(parent, tokenizer, recipe, SIBLING).half().state_dict()
    made = pretrain("sibling", folder)
    after = load_file(made / "model.safetensors")
    unchanged = {name for name, weight in after.items() if torch.equal(weight, before[name])}
    assert unchanged == {"lm_head.weight"}
    assert {weight.dtype for weight in after.values()} == {torch.float16}
    assert load_model(made, dtype="auto").model.dtype == torch.float32
    record = json.loads((made / "pretraining.json").read_text())
    assert record["recipe"]["cut"] == {"layers": 2, "hidden": 12, "rows": 3}
    assert len(record["losses"]) == 1
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (made / name).read_bytes() == (folder / "parent" / name).read_bytes()
