"""The first layers of a model on disk: the numbers of the whole model, and no file that only later layers need."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture, make_llama
from helpers.saved_models import save
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, modeling_utils

from semalign.models.architecture import Architecture
from semalign.models.capture import states_at
from semalign.models.first_layers import above, can_be_cut, files_of_layers, with_layers
from semalign.models.loading import LanguageModel, load_model


def states(model, layer, ids):
    with torch.no_grad():
        return states_at(Architecture(model), [layer], "mlp", ids, torch.ones_like(ids))[layer]


@pytest.mark.parametrize("size", ["1GB", "4KB"])
def test_the_first_layers_give_the_states_of_the_whole_model(teacher, tmp_path, size):
    path = save(teacher, tmp_path / "large", size)
    part, whole = load_model(path, layers=2), load_model(path)
    ids = torch.tensor([teacher.tokenizer("what is 1+2?")["input_ids"]])
    assert Architecture(part.model).n_layers == 2 and Architecture(whole.model).n_layers == 5
    assert torch.equal(states(part.model, 2, ids), states(whole.model, 2, ids))
    assert torch.equal(part.model.lm_head.weight, whole.model.lm_head.weight)
    assert part.name == whole.name == "large" and part.model.config.name_or_path == path


def test_files_of_later_layers_are_not_opened(teacher, tmp_path, monkeypatch):
    path, opened = save(teacher, tmp_path / "large", "4KB"), set()
    held = {file.name: load_file(file).keys() for file in (tmp_path / "large").glob("*.safetensors")}
    real = modeling_utils.safe_open
    monkeypatch.setattr(modeling_utils, "safe_open", lambda file, **kw: opened.add(str(file)) or real(file, **kw))
    load_model(path, layers=2)
    config = AutoConfig.from_pretrained(path)
    later = {name for name, names in held.items() if above(names, config, 2) == names}
    assert len(later) >= 3
    assert {file.rpartition("/")[2] for file in opened} == held.keys() - later


def test_a_damaged_file_is_still_refused(teacher, tmp_path):
    path = save(teacher, tmp_path / "large")
    tensors = load_file(tmp_path / "large" / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "layers.1.mlp.up" not in name}
    save_file(kept, tmp_path / "large" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights of its architecture: model\.layers\.1\.mlp\.up_proj"):
        load_model(path, layers=2)
    unknown = {**tensors, "model.layers.1.mlp.gate.scale": torch.ones(2)}
    save_file(unknown, tmp_path / "large" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"1 weights that its architecture does not use: model\.layers\.1\.mlp\.gate"):
        load_model(path, layers=2)


def test_more_layers_than_there_are_is_the_whole_model(teacher, tmp_path):
    path = save(teacher, tmp_path / "large")
    assert Architecture(load_model(path, layers=9).model).n_layers == 5


def test_a_model_in_one_file_is_read_where_it_is(teacher, tmp_path):
    path = save(teacher, tmp_path / "large")
    with files_of_layers(tmp_path / "large", AutoConfig.from_pretrained(path), 1) as found:
        assert found == tmp_path / "large"


def test_weights_above_are_those_of_later_layers_by_any_prefix():
    config = make_llama(20, 8, 12, 0).config
    names = {"model.layers.9.x.weight", "layers.10.mlp.3.w", "model.layers.11.a", "lm_head.weight", "model.norm.weight"}
    assert above(names, config, 10) == {"layers.10.mlp.3.w", "model.layers.11.a"}
    assert can_be_cut(config, 11) and not can_be_cut(config, 12) and not can_be_cut(config, 0)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", TYPES)
def test_every_architecture_gives_the_same_states(model_type, tokenizer, tmp_path):
    settings = {**SPECIAL.get(model_type, SMALL), "vocab_size": len(tokenizer)}
    made = LanguageModel(make_architecture(model_type, **settings), tokenizer)
    path = save(made, tmp_path / "large", "2KB")
    part, whole = load_model(path, layers=2), load_model(path)
    ids = torch.tensor([tokenizer("what is 1+2?")["input_ids"]])
    assert torch.equal(states(part.model, 2, ids), states(whole.model, 2, ids))
    assert Architecture(part.model).n_layers == 2


def test_settings_of_each_layer_are_shortened():
    config = make_architecture("gemma3_text", **SPECIAL["gemma3_text"]).config
    config.layer_types = ["sliding_attention", "full_attention", "sliding_attention"]
    shorter = with_layers(config, [1, 3])
    assert shorter.layer_types == ["sliding_attention"] * 2 and shorter.num_hidden_layers == 2
    assert config.num_hidden_layers == 3


@pytest.mark.parametrize(
    ("settings", "kept", "expected"),
    [
        ({"mlp_only_layers": [0, 3], "decoder_sparse_step": 1}, [1, 3, 4], {"mlp_only_layers": [0, 2]}),
        ({"mlp_only_layers": [0, 1, 2, 3, 4, 5]}, [2, 6], {"mlp_only_layers": [0, 1]}),
        ({"mlp_only_layers": [5]}, [1, 2, 3], {"mlp_only_layers": []}),
        # Every second layer has experts, the 2nd, 4th and 6th, and of these the 4th is taken out by the list.
        (
            {"mlp_only_layers": [3], "decoder_sparse_step": 2},
            [2, 3, 4, 6],
            {"mlp_only_layers": [1, 2], "decoder_sparse_step": 1},
        ),
    ],
)
def test_numbers_of_layers_become_those_of_the_remaining_ones(settings, kept, expected):
    config = AutoConfig.for_model("qwen3_moe", num_hidden_layers=6, **settings)
    shorter = with_layers(config, kept)
    assert {name: getattr(shorter, name) for name in expected} == expected


@pytest.mark.parametrize(("kept", "dense"), [([1, 2, 5], 2), ([2, 3, 4], 1), ([4, 5], 0)])
def test_the_first_layers_of_another_kind_are_counted_anew(kept, dense):
    config = AutoConfig.for_model("deepseek_v3", num_hidden_layers=6, first_k_dense_replace=2)
    assert with_layers(config, kept).first_k_dense_replace == dense


def test_a_list_may_be_longer_than_the_model():
    config = AutoConfig.for_model("smollm3", num_hidden_layers=3, no_rope_layers=[1, 0, 1, 1, 0])
    assert with_layers(config, [2, 3]).no_rope_layers == [0, 1]
