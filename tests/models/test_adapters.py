"""An adapter is put on its own base and nothing else; a damaged one, or one of another base, is one line."""

import json
import logging

import pytest
import torch
from helpers.models import make_llama, randomise
from peft import IA3Config, LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from semalign.data.time_limit import time_limit
from semalign.models import adapters
from semalign.models.adapters import changes_base, put_adapter, shared_targets
from semalign.models.architecture import Architecture
from semalign.models.finite import NotFiniteError
from semalign.models.loading import LanguageModel, load_model, shared_copy

TARGETS = ["up_proj", "v_proj"]


def save_base(path, tokenizer, seed=0, width=12):
    make_llama(len(tokenizer), width, 3, seed).float().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return load_model(path)


@pytest.fixture
def base(tokenizer, tmp_path):
    return save_base(tmp_path / "base", tokenizer)


@pytest.fixture
def saved(base, tmp_path):
    """An adapter of the base, and the logits that both give together."""
    return save_adapter(base, tmp_path / "adapter", LoraConfig(r=2, target_modules=TARGETS, task_type="CAUSAL_LM"))


def save_adapter(base, folder, config):
    adapted = get_peft_model(shared_copy(base.model), config)
    randomise(adapted)
    adapted.float().eval().save_pretrained(folder)
    return folder, logits(adapted)


@torch.no_grad()
def logits(model):
    return model(torch.tensor([[5, 6, 7, 9]])).logits


def change_weights(folder, change):
    path = folder / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


def change_config(folder, **values):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refused(base, folder, message, kind=ValueError):
    with pytest.raises(kind, match=message) as error:
        put_adapter(base, folder)
    assert "\n" not in str(error.value) and str(folder) in str(error.value)


def test_a_model_with_its_adapter_is_as_it_was_saved(base, saved):
    folder, expected = saved
    adapted = put_adapter(base, folder)
    assert isinstance(adapted.model, PeftModel) and not adapted.model.training
    torch.testing.assert_close(logits(adapted.model), expected)


@pytest.mark.parametrize(
    "config",
    [
        LoraConfig(r=2, target_modules=TARGETS, use_dora=True, task_type="CAUSAL_LM"),
        LoraConfig(r=2, target_modules=TARGETS, bias="lora_only", task_type="CAUSAL_LM"),
        LoraConfig(r=2, target_modules=TARGETS, modules_to_save=["lm_head"], task_type="CAUSAL_LM"),
        LoraConfig(r=2, target_modules=r".*layers\.1\.mlp\.(up|down)_proj", task_type="CAUSAL_LM"),
        LoraConfig(r=2, target_modules=TARGETS, rank_pattern={"v_proj": 3}, task_type="CAUSAL_LM"),
        IA3Config(target_modules=["v_proj"], feedforward_modules=[], task_type="CAUSAL_LM"),
    ],
)
def test_other_kinds_that_are_whole_are_put_on_too(base, tmp_path, config):
    folder, expected = save_adapter(base, tmp_path / "adapter", config)
    torch.testing.assert_close(logits(put_adapter(base, folder).model), expected)


def test_embeddings_that_were_trained_belong_to_an_adapter(base, saved):
    folder, _ = saved
    name = "base_model.model.model.embed_tokens.weight"
    change_weights(folder, lambda w: {**w, name: torch.ones_like(base.model.model.embed_tokens.weight)})
    adapted = put_adapter(base, folder).model.get_base_model()
    assert (adapted.model.embed_tokens.weight == 1).all()


@pytest.mark.filterwarnings("error")
def test_the_hub_is_not_asked_for_a_base(base, saved):
    change_config(saved[0], base_model_name_or_path="somebody/base-model")
    put_adapter(base, saved[0])


def renamed(weights):
    return {name.replace("layers.", "blocks."): tensor for name, tensor in weights.items()}


FAULTS = {
    "keys that match nothing": (renamed, "lacks 12 of the 12 weights that it needs"),
    "a part is missing": (
        lambda w: {name: t for name, t in w.items() if ".1.mlp.up_proj.lora_B" not in name},
        r"lacks 1 of the 12 .*: base_model\.model\.model\.layers\.1\.mlp\.up_proj\.lora_B\.weight: it is damaged",
    ),
    "more than its settings name": (
        lambda w: {**w, "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight": torch.ones(2, 24)},
        r"has 1 weights that match nothing in base: base_model\.model\.model\.layers\.0\.mlp\.down_proj",
    ),
    "another rank": (
        lambda w: {name: torch.ones(3, *t.shape[1:]) if "lora_A" in name else t for name, t in w.items()},
        r"does not fit base: size mismatch for .*\(6 in all\)",
    ),
    "NaN": (
        lambda w: {name: t * torch.nan if ".2.mlp.up_proj.lora_A" in name else t for name, t in w.items()},
        r"holds NaN or infinity in base_model\.model\.model\.layers\.2\.mlp\.up_proj\.lora_A\.weight",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_weights_that_do_not_fit_are_named(base, saved, fault):
    change, message = FAULTS[fault]
    change_weights(saved[0], change)
    refused(base, saved[0], message, NotFiniteError if fault == "NaN" else ValueError)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"base_model_name_or_path": 5}, "base_model_name_or_path must be text, it is 5"),
        ({"r": 4}, r"does not fit base: size mismatch for .*\(12 in all\)"),
        ({"peft_type": "NO_SUCH"}, "names no kind of adapter that is known here: peft_type is 'NO_SUCH'"),
        ({"peft_type": None}, "peft_type is None"),
        ({"peft_type": ["LORA"]}, r"peft_type is \['LORA'\]"),
        ({"peft_type": "PREFIX_TUNING"}, "by PREFIX_TUNING, which works by extra prompts: use LoRA or its kin"),
        ({"target_modules": ["no_such"]}, "does not fit base: .*no_such"),
        ({"target_modules": "(("}, r"target_modules holds '\(\(', which is no pattern: missing \)"),
        ({"rank_pattern": {"*": 2}}, r"rank_pattern holds '\*', which is no pattern: nothing to repeat"),
        ({"target_modules": {"a": 1}}, "does not fit base: "),
        ({"rank_pattern": 7}, "does not fit base: "),
        ({"r": 0}, "does not fit base: "),
        ({"r": "two"}, "does not fit base: "),
        ({"lora_alpha": "two"}, "does not fit base: "),
    ],
)
def test_settings_that_do_not_fit_are_named(base, saved, values, message):
    change_config(saved[0], **values)
    refused(base, saved[0], message)


@pytest.mark.parametrize(
    "values",
    [
        {"target_modules": "(.*.*.*.*.*.*.*.*.*.*)*no_such"},
        {"exclude_modules": "(.*.*.*.*.*.*.*.*.*.*)*no_such"},
        {"rank_pattern": {"(.*.*.*.*.*.*.*.*.*.*)*no_such": 2}},
        {"alpha_pattern": {"(.*.*.*.*.*.*.*.*.*.*)*no_such": 2}},
        {"modules_to_save": ["(.*.*.*.*.*.*.*.*.*.*)*no_such"]},
        {"layers_pattern": "(.*.*.*.*.*.*.*.*.*.*)*no_such", "layers_to_transform": [1]},
    ],
)
def test_a_pattern_that_does_not_end_is_stopped(base, saved, values, monkeypatch):
    monkeypatch.setattr(adapters, "time_limit", lambda what: time_limit(what, 0.5))
    change_config(saved[0], **values)
    (setting, *_) = values
    refused(base, saved[0], f"the match of {setting} in .* does not end within")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_damaged_settings_are_named(base, saved, content):
    (saved[0] / "adapter_config.json").write_bytes(content)
    refused(base, saved[0], r"adapter_config\.json (is damaged|must hold an object)")


def test_missing_and_damaged_files_are_named(base, saved):
    folder, _ = saved
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    refused(base, folder, "the weights of the adapter in .* cannot be read: SafetensorError")
    path.unlink()
    refused(base, folder, "the weights of the adapter in .* cannot be read: ")
    (folder / "adapter_config.json").unlink()
    refused(base, folder, "holds no PEFT adapter: `semalign transfer --out", FileNotFoundError)


def lora_on(base, *targets, **settings):
    return get_peft_model(shared_copy(base), LoraConfig(r=2, target_modules=list(targets), **settings))


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
def test_targets_whose_weight_another_module_uses_are_found(tokenizer):
    tied, free = (make_llama(len(tokenizer), 12, 2, 0, tie_word_embeddings=tie) for tie in (True, False))
    with torch.device("meta"):
        without_numbers = AutoModelForCausalLM.from_config(tied.config)
    for target, name in (("lm_head", "lm_head"), ("embed_tokens", "model.embed_tokens")):
        assert shared_targets(lora_on(tied, "up_proj", target)) == [name]
        assert shared_targets(lora_on(without_numbers, "up_proj", target)) == [name]
        assert not shared_targets(lora_on(free, "up_proj", target))
    both = lora_on(tied, "lm_head", "embed_tokens", ensure_weight_tying=True)
    assert set(shared_targets(both)) == {"lm_head", "model.embed_tokens"}
    assert not shared_targets(lora_on(tied, "up_proj")) and not shared_targets(tied)
    whole = get_peft_model(shared_copy(tied), LoraConfig(target_modules=["up_proj"], modules_to_save=["lm_head"]))
    assert not shared_targets(whole)


STARTS = (True, False, "gaussian", "orthogonal", "olora", "pissa", "pissa_niter_2", "mica", "eva")


@pytest.mark.filterwarnings("ignore:`init_lora_weights` is 'eva'")
@pytest.mark.parametrize("start", STARTS)
def test_an_initialisation_changes_the_base_as_peft_does(tokenizer, start):
    base, again = (make_llama(len(tokenizer), 12, 2, 0).float() for _ in range(2))  # OLoRA writes to the base's own
    adapted = lora_on(again, "up_proj", init_lora_weights=start).get_base_model()
    before, after = base.model.layers[0].mlp.up_proj.weight, adapted.model.layers[0].mlp.up_proj.base_layer.weight
    assert changes_base(start) == (not torch.equal(before, after))


@pytest.mark.parametrize("start", ["corda", "loftq", "lora_ga"])
def test_initialisations_that_need_data_or_codes_change_the_base_too(start):
    assert changes_base(start)


def test_a_base_of_another_shape_is_refused(saved, tokenizer, tmp_path):
    (tmp_path / "wide").mkdir()
    change_config(saved[0], base_model_name_or_path="somebody/base")
    refused(save_base(tmp_path / "wide/base", tokenizer, width=16), saved[0], "does not fit base: size mismatch")


def test_another_base_of_the_same_shape_is_refused_where_it_can_be_told(base, saved, tokenizer, tmp_path, caplog):
    folder, expected = saved
    other = save_base(tmp_path / "other", tokenizer, seed=1)
    refused(other, folder, r"was made for .*/base, which has other weights than .*/other")
    copy = save_base(tmp_path / "copy", tokenizer)
    torch.testing.assert_close(logits(put_adapter(copy, folder).model), expected)
    change_config(folder, base_model_name_or_path="somebody/base-model")
    with caplog.at_level(logging.WARNING, logger="semalign"):
        put_adapter(base, folder)
    assert f"the adapter in {folder} was made for somebody/base-model, not for" in caplog.text


def test_folders_of_one_name_may_hold_other_bases(base, saved, tokenizer, tmp_path):
    other = save_base(tmp_path / "elsewhere/base", tokenizer, seed=1)
    refused(other, saved[0], r"was made for .*/base, which has other weights than .*/elsewhere/base")


@pytest.mark.parametrize("form", ["shards", "bin"])
def test_the_same_base_may_be_in_other_files(base, saved, tokenizer, tmp_path, form):
    folder, expected = saved
    again = tmp_path / form
    base.model.save_pretrained(again, max_shard_size="5KB" if form == "shards" else "1GB")
    tokenizer.save_pretrained(again)
    if form == "bin":
        torch.save(load_file(again / "model.safetensors"), again / "pytorch_model.bin")
        (again / "model.safetensors").unlink()
    torch.testing.assert_close(logits(put_adapter(load_model(again), folder).model), expected)


def test_a_folder_without_a_model_is_no_base(base, saved, tmp_path, caplog):
    (tmp_path / "empty").mkdir()
    change_config(saved[0], base_model_name_or_path=str(tmp_path / "empty"))
    with caplog.at_level(logging.WARNING, logger="semalign"):
        torch.testing.assert_close(logits(put_adapter(base, saved[0]).model), saved[1])
    assert "was made for" in caplog.text


def test_extra_prompts_are_no_part_of_an_architecture(base):
    adapted = get_peft_model(base.model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    with pytest.raises(ValueError, match="extra prompt tokens cannot be used here"):
        Architecture(LanguageModel(adapted, base.tokenizer).model)
