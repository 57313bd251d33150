"""Half precision: on the same weights, every loss and every method gives what it gives in float32."""

import sys
from copy import deepcopy

import pytest
import torch
from helpers.models import make_llama, make_tokenizer

from semalign import LanguageModel, load_model, run_method
from semalign.models.architecture import Architecture
from semalign.models.precision import wide
from semalign.paths import cache_dir, project_root
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead
from semalign.training.output_terms import OUTPUT_TERMS

sys.path.insert(0, str(project_root() / "benchmarks"))

import half_precision

VOCABULARY = 32_000  # as Llama 2's
HALF = [torch.bfloat16, torch.float16]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["cat", "dog", "one", "two", "ten", "let", "on"]
ROWS = [
    {"prompt": f"say {WORDS[i % 7]}: ", "response": " ".join(WORDS[(i * j) % 7] for j in (1, 2, 3))} for i in range(16)
]
HELD_OUT = [{**row, "response": f"{row['response']} {WORDS[0]}"} for row in ROWS[:4]]
TRAINING = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3}
LAYERS = {"teacher_layer": 2, "student_layer": 2}
METHODS = {
    **{name: ("semalign", {**TRAINING, **LAYERS, "output_loss": name}) for name in OUTPUT_TERMS},
    "procrustes": ("semalign", {**TRAINING, **LAYERS, "map": "procrustes", "interface": "residual"}),
    "centred targets": ("semalign", {**TRAINING, **LAYERS, "centre_targets": True, "micro_batch_size": 4}),
    "sft": ("sft", TRAINING),
    "seeking": ("seeking", TRAINING),
}


def same_weights(model, dtype):
    """Return the model with weights that every type can hold, in one of them."""
    return deepcopy(model).bfloat16().half().to(dtype)


@pytest.fixture(scope="module")
def models():
    sizes = {"vocab_size": VOCABULARY, "initializer_range": 0.05, "eos_token_id": 0}
    return make_llama(hidden_size=96, layers=4, seed=0, **sizes), make_llama(hidden_size=64, layers=3, seed=1, **sizes)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer([a + b for a in LETTERS[:12] for b in LETTERS[:20]])


def term_and_gradient(name, model, states, labels):
    """Return a term's mean, and its gradient with respect to the states, in the type of the model."""
    architecture, ids = Architecture(model), torch.arange(VOCABULARY)
    leaf = states.to(model.dtype, copy=True).requires_grad_()
    term = OUTPUT_TERMS[name](architecture, TransferSettings(), TeacherHead(architecture, ids, ids))
    teacher_final = states.flip(0).to(model.dtype)
    scale = 2.0**16 if model.dtype == torch.float16 else 1.0
    mean = term(wide(leaf), Batch(None, None, None, labels, None, {}, teacher_final)).mean()
    (mean * scale).backward()
    return mean.item(), leaf.grad.double() / scale


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", list(OUTPUT_TERMS))
def test_an_output_term_and_its_gradient_are_those_of_float32(models, name, dtype):
    torch.manual_seed(0)
    states, labels = 3 * torch.randn(40, 64).bfloat16().half(), torch.randint(0, VOCABULARY, (40,))
    value, gradient = term_and_gradient(name, same_weights(models[1], dtype), states, labels)
    exact, exact_gradient = term_and_gradient(name, same_weights(models[1], torch.float32), states, labels)
    assert value == pytest.approx(exact, abs=1e-3)
    assert (gradient - exact_gradient).norm() < 0.01 * exact_gradient.norm()


def adapted(models, tokenizer, name, dtype, **settings):
    """Return a method's losses, the change of logits on a row, and the record."""
    teacher, student = (LanguageModel(same_weights(model, dtype), tokenizer) for model in models)
    result = run_method(name, teacher, student, ROWS, validation=HELD_OUT, **settings)
    ids = torch.tensor([tokenizer(ROWS[0]["prompt"] + ROWS[0]["response"]).input_ids])
    before = same_weights(models[1], torch.float32)
    with torch.no_grad():
        return result.record["losses"], (result.model.model.float()(ids).logits - before(ids).logits), result.record


@pytest.fixture(scope="module")
def in_float32(models, tokenizer):
    found = {}

    def of(name):
        if name not in found:
            method, settings = METHODS[name]
            found[name] = adapted(models, tokenizer, method, torch.float32, **settings)
        return found[name]

    return of


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", list(METHODS))
def test_a_method_learns_what_it_learns_in_float32(models, tokenizer, in_float32, name, dtype):
    method, settings = METHODS[name]
    losses, change, record = adapted(models, tokenizer, method, dtype, **settings)
    exact_losses, exact_change, exact_record = in_float32(name)
    for step, exact in zip(losses, exact_losses, strict=True):
        for term, value in exact.items():
            assert step[term] == pytest.approx(value, abs=1e-3, rel=1e-3)
    assert (change - exact_change).norm() < 0.03 * exact_change.norm()
    assert record["value"] == pytest.approx(exact_record["value"], abs=1e-3, rel=1e-3)
    kind = str(dtype).removeprefix("torch.")
    assert record["details"]["types"] == {"teacher": [kind], "student": [kind], "trained": ["float32"]}


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_latens_changes_survive(models, tokenizer, dtype):
    settings = {"extract_size": 4, "align_size": 12, "steps": 2}
    _, change, record = adapted(models, tokenizer, "laten", dtype, **settings)
    _, exact, _ = adapted(models, tokenizer, "laten", torch.float32, **settings)
    assert 0 < exact.norm() < 0.1  # changes that half-precision weights would lose
    assert (change - exact).norm() < 0.05 * exact.norm()
    assert record["details"]["types"]["trained"] == ["float32"]


REAL = cache_dir() / "models" / "smollm2-135m"  # the user's cache: tests have one of their own


@pytest.fixture(scope="module")
def smollm2():
    if not (REAL / "source.json").is_file():
        pytest.skip("needs `semalign fetch smollm2-135m`")
    return load_model(REAL, dtype=torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_published_weights_give_the_losses_and_gradients_of_float32(smollm2, dtype):
    lines = list(half_precision.terms(smollm2.model, *half_precision.example(smollm2), [dtype]))
    assert [line.term for line in lines] == list(OUTPUT_TERMS)
    for line in lines:
        assert line.holds, line
        assert line.library_difference < 1e-3 and line.library < 0.01, line
        assert line.gradient < (0.02 if dtype == torch.float16 else 0.1), line  # nearly all from the passes


@pytest.mark.slow
def test_latens_changes_of_published_weights_survive(smollm2):
    changes = half_precision.laten(smollm2, half_precision.example(smollm2)[0])
    assert changes.keys() == {"bfloat16", "float16"}
    assert max(changes.values()) < half_precision.CHANGE
