"""A transfer on top of an adapter: what it starts from, and that its result holds both."""

import pytest
import torch
from helpers.models import randomise
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer

import semalign
from semalign.models.loading import LanguageModel, shared_copy
from semalign.models.source import GivenModel
from semalign.settings import TrainingSettings
from semalign.training.adapters import base_facts, split_adapter, stack_adapters
from semalign.training.lora import Factors, add_lora, plain_lora

FAST = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-2}


@torch.no_grad()
def logits(model):
    return model(torch.arange(2, 12)[None]).logits


@pytest.fixture
def adapted(student):
    """The student with a random LoRA on layers 1 and 3."""
    model = add_lora(student.model, [1, 3], TrainingSettings(rank=3, lora_alpha=6))
    randomise(model)
    return LanguageModel(model.eval(), student.tokenizer)


def test_the_student_as_it_is_now_shares_what_the_adapter_leaves_alone(student, adapted):
    plain, (base, carried) = logits(student.model), split_adapter(adapted)
    assert carried is adapted.model
    torch.testing.assert_close(logits(base.model), logits(adapted.model), rtol=1e-6, atol=1e-8)
    assert torch.equal(logits(student.model), plain)
    ours, theirs = base.model.state_dict(), student.model.state_dict()
    changed = {name for name in theirs if not torch.equal(ours[name], theirs[name])}
    assert len(changed) == 8
    assert all(ours[name].data_ptr() == theirs[name].data_ptr() for name in theirs.keys() - changed)
    assert split_adapter(student) == (student, None)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_small_adapter_on_half_precision_is_not_rounded_away(student, dtype):
    base = student.model.to(dtype)
    model = add_lora(base, [2], TrainingSettings(rank=3, lora_alpha=6))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=1e-3, generator=torch.Generator().manual_seed(len(name)))
    merged, _ = split_adapter(LanguageModel(model.eval(), student.tokenizer))
    for name, module in model.get_base_model().named_modules():
        if isinstance(module, LoraLayer):
            change = merged.model.get_parameter(f"{name}.weight") - module.base_layer.weight.float()
            torch.testing.assert_close(change, module.get_delta_weight("default").float(), rtol=1e-2, atol=1e-7)


def test_two_adapters_become_one_of_the_base_model(student, adapted, tmp_path):
    base, carried = split_adapter(adapted)
    second = add_lora(base.model, [3, 4], TrainingSettings(rank=2))
    randomise(second)
    both = stack_adapters(carried, second)
    torch.testing.assert_close(logits(both), logits(second), rtol=1e-5, atol=1e-8)
    both.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(shared_copy(student.model), tmp_path).eval()
    torch.testing.assert_close(logits(loaded), logits(both), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["semalign", "sft", "laten"])
def test_a_transfer_goes_on_from_an_adapter(teacher, student, adapted, rows, unseen, tmp_path, method):
    settings = FAST if method != "laten" else {"extract_size": 3, "align_size": 6, "learning_rate": 0.1}
    before = logits(adapted.model)
    result = semalign.run_method(method, teacher, adapted, rows, output_dir=tmp_path, validation=unseen[:2], **settings)
    assert torch.equal(logits(adapted.model), before)
    measured = result.record["details"]["before"]["response_nll"]
    plain = semalign.run_method(method, teacher, student, rows, validation=unseen[:2], **settings).record
    assert measured != pytest.approx(plain["details"]["before"]["response_nll"], rel=1e-3)
    assert result.record["fingerprints"]["student"] != plain["fingerprints"]["student"]
    if method == "laten":
        assert not isinstance(result.model.model, PeftModel)
        return
    loaded = PeftModel.from_pretrained(student.model, tmp_path).eval()
    torch.testing.assert_close(logits(loaded), logits(result.model.model), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(logits(loaded), before, atol=1e-4)


def test_ranks_may_differ_between_matrices(student):
    names = ["model.layers.0.mlp.up_proj", "model.layers.1.self_attn.v_proj"]
    changes = {
        name: Factors(torch.randn(n, rank).double(), torch.randn(rank, 12).double())
        for name, n, rank in zip(names, (24, 12), (5, 2), strict=True)
    }
    expected = shared_copy(student.model)
    with torch.no_grad():
        for name, factors in changes.items():
            matrix = expected.get_submodule(name)
            matrix.weight = torch.nn.Parameter(matrix.weight + factors.left @ factors.right)
    torch.testing.assert_close(logits(plain_lora(student.model, changes)), logits(expected), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "kind",
    [
        {"use_dora": True},
        {"modules_to_save": ["lm_head"]},
        {"lora_bias": True},
        {"trainable_token_indices": [3, 4]},
        {"target_modules": ["up_proj", "embed_tokens"]},
    ],
)
def test_an_adapter_that_cannot_be_kept_beside_another_is_refused(teacher, student, rows, kind):
    config = LoraConfig(**{"r": 2, "target_modules": ["up_proj"], "task_type": "CAUSAL_LM", **kind})
    model = LanguageModel(get_peft_model(shared_copy(student.model), config), student.tokenizer)
    with pytest.raises(ValueError, match=r"one plain LoRA adapter .* merge it into the model .* and give its folder"):
        semalign.transfer(teacher, model, rows, **FAST)


def refused(teacher, model, rows, message, monkeypatch):
    monkeypatch.setattr("semalign.models.pair.Pair.encode", lambda *_: pytest.fail("the work has begun"))
    with pytest.raises(ValueError, match=message) as error:
        semalign.transfer(teacher, model, rows, **FAST)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_2", "olora"])
def test_an_adapter_whose_start_changes_the_base_is_refused(teacher, student, rows, start, monkeypatch):
    config = LoraConfig(r=2, target_modules=["up_proj"], init_lora_weights=start, task_type="CAUSAL_LM")
    model = get_peft_model(shared_copy(student.model.float()), config)
    refused(
        teacher,
        LanguageModel(model, student.tokenizer),
        rows,
        rf"initialised by {start}, which changes the base model.*save_pretrained\(\), and give its folder",
        monkeypatch,
    )


@pytest.mark.filterwarnings("ignore:`init_lora_weights` is 'eva'")
@pytest.mark.parametrize("start", ["gaussian", "orthogonal", "mica", "eva"])
def test_the_result_on_any_other_start_fits_the_base(student, start):
    base = student.model.float()
    config = LoraConfig(r=2, target_modules=["up_proj"], init_lora_weights=start, task_type="CAUSAL_LM")
    carried = get_peft_model(shared_copy(base), config)
    randomise(carried)
    merged, carried = split_adapter(LanguageModel(carried.float().eval(), student.tokenizer))
    second = add_lora(merged.model, [2], TrainingSettings(rank=2))
    both = stack_adapters(carried, second.eval())
    torch.testing.assert_close(logits(both), logits(carried), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(logits(both), logits(base), rtol=1e-2)
    weights = [model.get_base_model().model.layers[0].mlp.up_proj.base_layer.weight for model in (both, carried)]
    assert all(torch.equal(weight, base.model.layers[0].mlp.up_proj.weight) for weight in weights)


def test_an_adapter_on_a_tied_head_is_refused(teacher, student, rows, monkeypatch):
    student.model.lm_head.weight = student.model.model.embed_tokens.weight
    config = LoraConfig(r=2, target_modules=["up_proj", "lm_head"], task_type="CAUSAL_LM")
    model = LanguageModel(get_peft_model(shared_copy(student.model), config), student.tokenizer)
    refused(teacher, model, rows, "changes lm_head, whose weight is tied to that of another module", monkeypatch)


def test_an_adapter_inside_a_plain_model_is_refused(teacher, student, rows, monkeypatch):
    inside = shared_copy(student.model)
    inside.add_adapter(LoraConfig(r=2, target_modules=["up_proj"]))
    model = LanguageModel(inside, student.tokenizer)
    refused(teacher, model, rows, r"holds an adapter that add_adapter\(\) .* give it as a PeftModel", monkeypatch)


def test_the_base_of_a_result_is_the_student_without_its_adapter(student, adapted):
    plain = GivenModel(student)
    assert base_facts(plain, None) is plain.facts
    assert base_facts(GivenModel(split_adapter(adapted)[0]), adapted.model) == plain.facts


def test_an_adapter_that_holds_nan_is_refused_before_anything_runs(teacher, adapted, rows):
    with torch.no_grad():
        adapted.model.get_base_model().model.layers[2].mlp.up_proj.lora_B["default"].weight[0] = torch.nan
    with pytest.raises(ValueError, match=r"layers\.2\.mlp\.up_proj\.lora_B\.default\.weight holds NaN or infinity"):
        semalign.transfer(teacher, adapted, rows, **FAST)
