"""Whatever mode a caller has set, the library's numbers are those of a clean call, and the caller's modes stay."""

from contextlib import contextmanager

import pytest
import torch
from helpers.models import make_llama, randomise
from lm_eval.api.instance import Instance
from peft import LoraConfig, get_peft_model

from semalign import SemanticBasis, TransferSettings, attribute_layers, transfer
from semalign.analysis.cka import CKAOptions, cka_matrix
from semalign.analysis.decomposition import resultant_cosine
from semalign.data.rows import batches, encode
from semalign.evaluation.transformers_engine import transformers_engine
from semalign.methods.laten.neurons import attribute_neurons
from semalign.methods.seeking.sensitivity import extract
from semalign.models.architecture import Architecture
from semalign.models.evaluating import evaluating
from semalign.models.loading import LanguageModel, load_model
from semalign.models.pair import Pair
from semalign.models.slicing import slice_width
from semalign.models.students import drop_layers
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair
from semalign.training.finetuning import response_nll


def noisy(vocabulary, width, layers, seed, tokenizer):
    """Return a model that gives other states in each call while it is in training mode."""
    return LanguageModel(make_llama(vocabulary, width, layers, seed, attention_dropout=0.5).float(), tokenizer)


@pytest.fixture
def pair(tokenizer):
    return noisy(len(tokenizer), 16, 4, 1, tokenizer), noisy(len(tokenizer), 12, 3, 2, tokenizer)


@contextmanager
def training_mode(*models):
    for each in models:
        each.model.train()
        each.model.gradient_checkpointing_enable()
        each.model.model.layers[0].mlp.eval()  # a mode of a part is kept too
    yield
    for each in models:
        modes = {name: module.training for name, module in each.model.named_modules()}
        assert not modes["model.layers.0.mlp"] and not modes["model.layers.0.mlp.up_proj"]
        assert modes["model.layers.0.self_attn"] and modes["model.layers.1.mlp"] and modes[""]


@contextmanager
def default(setter, value, usual):
    setter(value)
    try:
        yield
    finally:
        setter(usual)


SETTINGS = {
    "training mode": training_mode,
    "no_grad": lambda *_: torch.no_grad(),
    "inference_mode": lambda *_: torch.inference_mode(),
    "autocast": lambda *_: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda *_: default(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16": lambda *_: default(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "meta device": lambda *_: default(torch.set_default_device, "meta", None),
    "deterministic": lambda *_: default(torch.use_deterministic_algorithms, True, False),
    "frozen": lambda *models: _frozen(models),
}


@contextmanager
def _frozen(models):
    for each in models:
        each.model.requires_grad_(False)
        each.model.lm_head.weight.requires_grad_(True)
    yield
    for each in models:
        assert [name for name, p in each.model.named_parameters() if p.requires_grad] == ["lm_head.weight"]


def numbers(values):
    return torch.tensor(list(values), dtype=torch.float64, device="cpu")


def entries(pair, rows, tmp_path):
    """Return the numbers that each public entry gives."""
    (teacher, student), texts = pair, [row["prompt"] for row in rows]
    large, small = Architecture(teacher.model), Architecture(student.model)
    of_teacher, of_student = encode(rows, teacher.tokenizer, 64), encode(rows, student.tokenizer, 64)
    ours = Pair(teacher, student)
    given = list(batches(of_teacher[:4], 2))

    def supervised():
        settings = TransferSettings(positions="all")
        made = TargetBuilder(ours, settings).supervision(rows[:3], [LayerPair([(2, 1.0)], 2)], tmp_path / "states")
        return torch.cat([made.entering[0].flatten(), made.layers[0].teacher_states[0].flatten()])

    def transferred():
        result = transfer(teacher, student, rows[:4], validation=rows[4:6], epochs=1, rank=2, lora_dropout=0.3)
        after = result.record["details"]["after"]
        return numbers([*result.record["losses"][-1].values(), *after.values()])

    def scored():
        asked = [Instance("loglikelihood", {}, (row["prompt"], row["response"]), 0) for row in rows[:3]]
        with transformers_engine(student, 2) as engine:
            return numbers(score for score, _ in engine.loglikelihood(asked))

    return {
        "attribution": lambda: attribute_layers(teacher, given, "mlp"),
        "attribution of the residual": lambda: attribute_layers(teacher, given, "residual"),
        "states for targets": supervised,
        "transfer": transferred,
        "evaluation": scored,
        "response_nll": lambda: numbers([response_nll(small, of_student)]),
        "cka": lambda: cka_matrix(teacher, student, texts, CKAOptions(block=8)),
        "decomposition": lambda: numbers(
            resultant_cosine(teacher, texts, {"own": SemanticBasis.from_model(teacher)}).cosine
        ),
        "random basis": lambda: SemanticBasis.from_model(teacher, "random").vectors,
        "basis": lambda: SemanticBasis.from_model(teacher).vectors,
        "neurons": lambda: attribute_neurons(large, [of_teacher[0].input_ids[:6]])["ffn"].neurons,
        "sensitivity": lambda: numbers(extract(large, small, of_teacher[:2]).layer_scores),
        "slicing": lambda: slice_width(teacher, rows[:4], 8).model.lm_head.weight.detach(),
        "dropping": lambda: drop_layers(teacher, 2).model.model.layers[1].mlp.up_proj.weight.detach(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_numbers_are_those_of_a_clean_call(setting, pair, rows, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "clean"))
    clean = {name: call() for name, call in entries(pair, rows, tmp_path / "clean").items()}
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "again"))
    wrong = []
    for name, call in entries(pair, rows, tmp_path / "again").items():
        if (setting, name) == ("meta device", "states for targets"):
            continue  # built inside of transfer only, which puts the default device aside
        with SETTINGS[setting](*pair):
            found = call()
        if not (found.dtype == clean[name].dtype and torch.equal(found, clean[name])):
            wrong.append(name)
    assert not wrong


@pytest.mark.slow
def test_a_student_with_an_adapter_in_training_mode_is_used_without_its_dropout(pair, rows):
    teacher, student = pair
    config = LoraConfig(r=2, lora_dropout=0.5, target_modules=["up_proj"], task_type="CAUSAL_LM")
    adapted = get_peft_model(student.model, config)
    randomise(adapted)
    adapted.float()
    examples = encode(rows, student.tokenizer, 64)

    def numbers():
        settings = {"epochs": 1, "rank": 2, "teacher_layer": 2, "student_layer": 2}
        result = transfer(teacher, LanguageModel(adapted, student.tokenizer), rows[:4], **settings)
        return result.record["losses"], response_nll(Architecture(adapted), examples)

    clean = numbers()
    adapted.train()
    assert numbers() == clean
    assert all(module.training for module in adapted.modules())


def test_a_model_is_loaded_as_it_is_under_any_setting(pair, tmp_path):
    teacher, _ = pair
    teacher.model.save_pretrained(tmp_path / "model")
    teacher.tokenizer.save_pretrained(tmp_path / "model")
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        expected = teacher.model(ids).logits
    for setting in ("no_grad", "inference_mode", "float64", "bfloat16", "meta device"):
        with SETTINGS[setting]():
            loaded = load_model(tmp_path / "model", device="cpu")
        assert torch.equal(loaded.model(ids).logits, expected), setting
        assert not any(p.is_inference() for p in loaded.model.parameters())


def test_modes_and_defaults_are_put_back_after_an_error(pair):
    teacher, _ = pair
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(RuntimeError, match="stopped"), training_mode(teacher), evaluating(teacher.model):
            assert not any(module.training for module in teacher.model.modules())
            assert torch.get_default_dtype() == torch.float32 and not torch.is_grad_enabled()
            raise RuntimeError("stopped")
        assert torch.get_default_dtype() == torch.float64 and torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
    assert teacher.model.training and not teacher.model.model.layers[0].mlp.training
    assert all(p.requires_grad for p in teacher.model.parameters())


def test_gradients_need_weights_that_let_them_pass(tokenizer):
    with torch.inference_mode():
        model = make_llama(len(tokenizer), 8, 1, seed=0)
    with pytest.raises(ValueError, match=r"made under torch\.inference_mode"), evaluating(model, gradients=True):
        pass
    with evaluating(model):
        model(torch.tensor([[5, 6]]))
