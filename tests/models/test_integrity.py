"""A model that is not whole is refused with the names of what is wrong, and none of its numbers is made up."""

import json
import shutil

import pytest
import torch
from helpers.models import make_llama
from safetensors.torch import load_file, save_file

from semalign import load_model
from semalign.models.integrity import check_folder, check_keys, listed


@pytest.fixture
def folder(tokenizer, tmp_path):
    make_llama(len(tokenizer), 12, 3, 0).float().save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def shards(tokenizer, tmp_path):
    make_llama(len(tokenizer), 12, 3, 0).float().save_pretrained(tmp_path / "model", max_shard_size="8KB")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change_weights(folder, change):
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


def change_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def without(*parts):
    return lambda weights: {name: w for name, w in weights.items() if not any(part in name for part in parts)}


def prefixed(prefix):
    return lambda weights: {prefix + name: weight for name, weight in weights.items()}


def rows(count):
    def change(weights):
        return {name: w[:count].clone() if w.shape[0] == 93 else w for name, w in weights.items()}

    return change


LACKS = {
    "no head": (without("lm_head"), r"lacks 1 weights .*: lm_head\.weight: "),
    "one matrix": (without("1.mlp.down_proj"), r"lacks 1 weights .*: model\.layers\.1\.mlp\.down_proj\.weight: "),
    "a layer": (
        without("layers.2."),
        r"lacks 9 weights .*: model\.layers\.2\.input_layernorm\..* and 6 more: ",
    ),
    "a PEFT model's names": (
        prefixed("base_model.model."),
        r"lacks 30 .*; unused are base_model\.model\.lm_head",
    ),
    "another prefix": (prefixed("transformer."), r"lacks 30 .*; unused are transformer\.lm_head\.weight, "),
    "a small vocabulary": (
        rows(50),
        r"config\.json: lm_head\.weight is \(50, 12\), not \(93, 12\), model",
    ),
    "scales of 8-bit weights": (
        lambda w: {**w, "model.layers.0.mlp.up_proj.weight_scale_inv": torch.ones(1)},
        r"1 weights that its architecture does not use: model\.layers\.0\.mlp\.up_proj\.weight_scale_inv: ",
    ),
    "a bias": (
        lambda w: {**w, "model.layers.0.self_attn.q_proj.bias": torch.ones(12)},
        r"does not use: model\.layers\.0\.self_attn\.q_proj\.bias",
    ),
    "8-bit codes": (
        lambda w: {**w, "model.layers.0.mlp.up_proj.weight": torch.ones(24, 12, dtype=torch.int8)},
        r"has whole numbers in model\.layers\.0\.mlp\.up_proj\.weight but no quantization_config",
    ),
    "NaN": (
        lambda w: {**w, "model.norm.weight": torch.full((12,), torch.nan)},
        r"model\.norm\.weight holds NaN or infinity",
    ),
}


@pytest.mark.parametrize("name", LACKS)
def test_weights_that_do_not_fit_are_named(folder, name):
    change, message = LACKS[name]
    change_weights(folder, change)
    refused(folder, message)


def refused(folder, message, kind=ValueError):
    with pytest.raises(kind, match=message) as error:
        load_model(folder)
    assert "\n" not in str(error.value) and str(folder) in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden_layers": 2}, r"9 weights that its architecture does not use: model\.layers\.2\."),
        ({"intermediate_size": 30}, r"mlp\.down_proj\.weight is \(12, 24\), not \(12, 30\), .* and 6 more"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "LlamaForSequenceClassification, which is no causal"),
        ({"architectures": ["BertForMaskedLM"], "model_type": "bert"}, "holds a BertForMaskedLM, which is no causal"),
        ({"is_encoder_decoder": True, "architectures": ["T5ForConditionalGeneration"]}, "a T5ForConditional"),
        (
            {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"]},
            "it is no causal language model",
        ),
        ({"model_type": "no-such-type"}, "cannot be loaded: .*no-such-type"),
        ({"hidden_size": "wide"}, "cannot be loaded: "),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "cannot be loaded: "),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "cannot be loaded: "),
        (
            {"quantization_config": {"quant_method": "no-such-method"}},
            "is quantised by no-such-method, which transform",
        ),
    ],
)
def test_a_configuration_of_another_model_is_refused(folder, values, message):
    change_config(folder, **values)
    refused(folder, message)


def test_a_tied_head_need_not_be_in_the_file(folder):
    change_weights(folder, without("lm_head"))
    change_config(folder, tie_word_embeddings=True)
    model = load_model(folder).model
    assert torch.equal(model.lm_head.weight, load_file(folder / "model.safetensors")["model.embed_tokens.weight"])


def test_what_old_versions_saved_without_need_is_no_fault(folder):
    change_weights(folder, lambda w: {**w, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(3)})
    load_model(folder)


@pytest.mark.parametrize(
    "name",
    [
        *("transformer.h.0.attn.bias", "transformer.h.0.attn.masked_bias", "transformer.h.0.attn.causal_mask"),
        *("transformer.h.0.attn.attention.bias", "transformer.h.0.attn.attention.masked_bias"),
        *("gpt_neox.layers.0.attention.bias", "model.layers.0.self_attn.rotary_emb.inv_freq"),
    ],
)
def test_masks_of_attention_and_frequencies_are_no_weights(name):
    none: list[str] = []
    check_keys("a model", {"missing_keys": none, "mismatched_keys": none, "unexpected_keys": [name]})


def test_files_that_are_missing_or_cut_off_are_named(shards):
    check_folder(shards)
    files = sorted(shards.glob("model-*.safetensors"))
    content = files[1].read_bytes()
    files[1].write_bytes(content[:-100])
    refused(shards, rf"{files[1].name} is cut off or damaged")
    files[1].write_bytes(b"")
    refused(shards, rf"{files[1].name} is cut off or damaged")
    files[1].unlink()
    refused(shards, rf"has no {files[1].name}, which its index names", FileNotFoundError)
    files[1].write_bytes(content)
    load_model(shards)


def test_a_shard_that_is_there_twice_or_is_another_one_is_named(shards):
    files = sorted(shards.glob("model-*.safetensors"))
    content = files[1].read_bytes()
    shutil.copy(files[0], files[1])
    refused(shards, r"has .* in two files")
    files[1].write_bytes(content)
    index = json.loads((shards / "model.safetensors.index.json").read_text())
    name = next(name for name, file in index["weight_map"].items() if file == files[0].name)
    index["weight_map"][name] = files[1].name
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(shards, rf"the index names {files[1].name} for {name}, which is not in it")


@pytest.mark.parametrize("content", ["", "[1]", "{", "null", '{"weight_map": [1]}', '{"weight_map": {"a": 1}}'])
def test_a_damaged_index_is_named(shards, content):
    (shards / "model.safetensors.index.json").write_text(content)
    refused(shards, r"model\.safetensors\.index\.json (is damaged|must hold an object|has no weight_map)")


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe"])
def test_a_damaged_configuration_is_named(folder, content):
    (folder / "config.json").write_bytes(content)
    refused(folder, r"config\.json (is damaged|must hold an object)")


def test_no_weights_and_no_tokenizer(folder):
    (folder / "tokenizer.json").rename(folder / "kept")
    refused(folder, "cannot be loaded: ")
    (folder / "model.safetensors").unlink()
    refused(folder, r"has no model\.safetensors, nor shards with an index", FileNotFoundError)


def test_an_old_file_of_pytorch_that_is_damaged_is_one_line(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"not a checkpoint")
    refused(folder, "cannot be loaded: ")


def test_an_adapter_is_no_model(folder, tmp_path):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "some/base"}))
    refused(tmp_path / "adapter", "holds a PEFT adapter, no model: give some/base as the model, .* with --adapter")
    shutil.copy(tmp_path / "adapter/adapter_config.json", folder)
    refused(folder, r"holds a model and also a PEFT adapter of some/base: move adapter_config\.json")


def test_a_file_is_no_folder(folder):
    with pytest.raises(ValueError, match=r"model\.safetensors is a file: give the folder that holds the model"):
        load_model(folder / "model.safetensors")


def test_nothing_is_said_of_a_whole_model(folder, capfd):
    load_model(folder)
    assert capfd.readouterr() == ("", "")


def test_names_are_cut_after_a_few():
    assert listed(["a", "b", "c"]) == "a, b, c" and listed("abcde") == "a, b, c and 2 more"
    check_keys("it", {"missing_keys": set(), "unexpected_keys": {"v_head.weight"}, "mismatched_keys": set()})
