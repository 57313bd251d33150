"""What is one model and what is another: by weights, configuration, adapters and tokenizer, not by name or place."""

import copy

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture, make_llama, make_tokenizer, randomise
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import GenerationConfig

from semalign.evaluation.engines import engine_identity
from semalign.evaluation.transformers_engine import transformers_engine
from semalign.models.identity import STATE_VERSION, computed_by, end_tokens, model_identity, plain_settings
from semalign.models.loading import LanguageModel, load_model

IDS = torch.tensor([[5, 9, 7, 30, 12, 8, 3, 4]])


@torch.no_grad()
def logits(network):
    return network(IDS).logits


def with_weights_of(network, **settings):
    """Return a model of the same weights, made under other settings."""
    config = copy.deepcopy(network.config)
    for name, value in settings.items():
        setattr(config, name, value)
    other = type(network)(config).double().eval()
    other.load_state_dict(network.state_dict())
    return other


@pytest.mark.parametrize(
    "settings",
    [
        {"rope_parameters": {"rope_type": "default", "rope_theta": 100.0}},
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
        {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 4},
        {"rms_norm_eps": 0.1},
        {"sliding_window": 2},
        {"hidden_act": "gelu"},
    ],
    ids=["theta", "rope scaling", "heads", "eps", "window", "activation"],
)
def test_equal_weights_under_other_settings_are_another_model(tokenizer, settings):
    kind = "mistral" if "sliding_window" in settings else "llama"
    given = {**SMALL, "num_key_value_heads": 2, "sliding_window": None}
    network = make_architecture(kind, **given)
    other = with_weights_of(network, **settings)
    assert all(torch.equal(p, other.state_dict()[name]) for name, p in network.state_dict().items())
    assert not torch.allclose(logits(network), logits(other), atol=1e-6)
    assert model_identity(LanguageModel(network, tokenizer)) != model_identity(LanguageModel(other, tokenizer))


def test_every_weight_and_saved_buffer_counts(teacher):
    before = model_identity(teacher)
    with torch.no_grad():
        teacher.model.model.layers[2].mlp.up_proj.weight[3, 4] += 1e-9
    assert model_identity(teacher) != before
    changed = model_identity(teacher)
    teacher.model.register_buffer("scale", torch.ones(1))
    assert model_identity(teacher) != changed


def test_what_a_model_has_been_used_for_does_not_count(teacher, tmp_path):
    before = model_identity(teacher)
    teacher.model.generate(IDS, max_new_tokens=2)
    teacher.tokenizer(["a b", "c"], truncation=True, max_length=2, padding=True)
    teacher.model.config.use_cache = False
    teacher.model.config.output_hidden_states = True
    teacher.model.config.name_or_path = "/somewhere/else"
    with transformers_engine(teacher, 2):
        assert engine_identity(teacher) == {"model": before}
    assert model_identity(teacher) == before


@pytest.mark.parametrize("model_type", TYPES)
def test_a_saved_model_is_the_same_from_any_folder(model_type, tokenizer, tmp_path):
    model = LanguageModel(make_architecture(model_type, **SPECIAL.get(model_type, SMALL)), tokenizer)
    model.model(IDS)
    for folder in (tmp_path / "a", tmp_path / "b"):
        model.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    one, other = (load_model(folder, dtype=torch.float64) for folder in (tmp_path / "a", tmp_path / "b"))
    assert model_identity(one) == model_identity(other)
    assert model_identity(LanguageModel(one.model, tokenizer)) == model_identity(model)


def test_a_shipped_model_is_the_same_when_it_was_saved_again(tmp_path):
    model = load_model("micro-student")
    model.model.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    assert model_identity(load_model(tmp_path)) == model_identity(model)


def adapted(name="default", **settings):
    """Return a model with a LoRA that is not zero."""
    config = LoraConfig(**{"r": 2, "lora_alpha": 4, "target_modules": ["up_proj", "v_proj"], **settings})
    network = get_peft_model(make_llama(63, 12, 2, seed=0), config, adapter_name=name).eval()
    randomise(network)
    return LanguageModel(network, make_tokenizer())


@pytest.mark.parametrize("settings", [{"lora_alpha": 8}, {"use_rslora": True}, {"target_modules": ["up_proj"]}])
def test_equal_factors_under_another_scale_are_another_model(settings):
    one, other = adapted(), adapted(**settings)
    assert not torch.allclose(logits(one.model), logits(other.model))
    assert model_identity(one) != model_identity(other)


def test_the_scale_in_the_layers_counts_and_not_only_the_configuration():
    model = adapted()
    before = model_identity(model)
    for module in model.model.modules():
        if isinstance(module, LoraLayer):
            module.scaling["default"] *= 3
    assert model_identity(model) != before


def test_adapters_count_while_they_are_in_use():
    model = adapted()
    before, plain = model_identity(model), model.model.get_base_model()
    model.model.add_adapter("second", LoraConfig(r=3, target_modules=["q_proj"]))
    assert model_identity(model) == before
    model.model.set_adapter("second")
    second = model_identity(model)
    model.model.set_adapter("default")
    assert second != model_identity(model) == before
    with model.model.disable_adapter():
        assert model_identity(model) not in (before, second)
    assert model_identity(model) == before
    model.model.merge_adapter()
    merged = model_identity(model)
    assert merged not in (before, second)
    with torch.no_grad():
        plain.model.layers[0].mlp.up_proj.lora_A["default"].weight[0, 0] += 1
    assert model_identity(model) != merged


def test_adapters_that_transformers_itself_holds_count_too(tokenizer):
    made = []
    for alpha in (4, 8):
        network = make_llama(len(tokenizer), 12, 2, seed=0)
        made.append(model_identity(LanguageModel(network, tokenizer)))
        network.add_adapter(LoraConfig(r=2, lora_alpha=alpha, target_modules=["up_proj"]))
        randomise(network)
        made.append(model_identity(LanguageModel(network, tokenizer)))
    plain, one, same, other = made
    assert plain == same and len({plain, one, other}) == 3


@pytest.mark.parametrize("settings", [{}, {"modules_to_save": ["lm_head"]}, {"use_dora": True, "lora_bias": False}])
def test_an_adapter_is_the_same_when_it_was_saved_whatever_its_name(tmp_path, settings):
    model = adapted(**settings)
    model.model.save_pretrained(tmp_path)
    for name in ("default", "mine"):
        loaded = PeftModel.from_pretrained(make_llama(63, 12, 2, seed=0), tmp_path, adapter_name=name).eval()
        assert torch.allclose(logits(loaded), logits(model.model))
        saved = LanguageModel(loaded, model.tokenizer)
        randomise_as(loaded, model.model)
        assert model_identity(saved) == model_identity(model)


def randomise_as(network, other):
    """Give a model the very numbers of another: files of adapters may hold them in less precision."""
    values = [p for name, p in other.named_parameters() if "lora_" in name]
    with torch.no_grad():
        for p, value in zip((p for n, p in network.named_parameters() if "lora_" in n), values, strict=True):
            p.data = value.clone()


def test_the_tokens_that_end_an_answer_are_those_of_both(teacher):
    assert end_tokens(GenerationConfig(eos_token_id=[7, 5]), teacher.tokenizer) == [0, 5, 7]
    assert end_tokens(None, teacher.tokenizer) == [0]
    before = model_identity(teacher)
    teacher.model.generation_config.eos_token_id = [0, 5]
    assert model_identity(teacher) != before


def test_settings_are_without_names_and_in_order():
    content = {"_name_or_path": "x", "b": {"dtype": "y", "eps": 1}, "c": {"z", "a"}, "d": (1, {"architectures": []})}
    assert plain_settings(content | {"e": None}) == {"b": {"eps": 1}, "c": ["a", "z"], "d": [1, {}]}


def test_what_computes_is_told_by_its_versions(teacher, monkeypatch):
    found = computed_by(teacher.model, packages=("torch", "no-such-package"))
    assert found == {
        "states": STATE_VERSION,
        "attention": ["sdpa"],
        "torch": torch.__version__,
        "no-such-package": None,
    }
    assert {"torch", "transformers", "peft", "tokenizers"} <= computed_by().keys()
