"""vLLM itself against transformers: same scores, greedy texts that part only at ties. Run it by `make test-vllm`."""

from importlib.util import find_spec

import pytest
import torch
from transformers import AutoModelForCausalLM

from semalign import load_model
from semalign.cli.inputs import with_adapter
from semalign.data import tasks as benchmarks
from semalign.evaluation.run import evaluate
from semalign.evaluation.vllm_engine import VllmModel
from semalign.settings import TrainingSettings
from semalign.training.lora import add_lora

pytestmark = pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed here: make test-vllm")
OPTIONS = {"enforce_eager": True, "max_model_len": 512}
ITEMS = 32
NEAR = 1e-3  # of a logit: both compute in float32, with sums in another order


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random model: heads of the micro family have 24 numbers, and vLLM's attention on CPUs takes no such heads."""
    folder, like = tmp_path_factory.mktemp("model"), load_model("micro-student")
    torch.manual_seed(0)
    size = {"hidden_size": 128, "head_dim": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    size |= {"num_hidden_layers": 3, "initializer_range": 0.1}
    config = type(like.model.config)(**{**like.model.config.to_dict(), **size})
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    like.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, folder):
    """An adapter that changes what the model says: random numbers in place of the zeros it begins with."""
    path = tmp_path_factory.mktemp("adapter")
    model = add_lora(load_model(folder).model, [2, 3], TrainingSettings(rank=8))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    model.save_pretrained(str(path))
    return path


def texts(model, task):
    return [sample["generation"] for sample in evaluate(model, task, limit=ITEMS).samples]


@pytest.mark.parametrize("adapted", [False, True])
def test_greedy_texts_are_those_of_transformers(adapted, folder, adapter):
    path = adapter if adapted else None
    expected = texts(with_adapter(str(folder), path, "transformers", {}), "micro_gsm8k")
    found = texts(VllmModel(str(folder), path, OPTIONS), "micro_gsm8k")
    assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 0.8 * ITEMS  # the others: see below
    assert len(set(expected)) > ITEMS // 2
    if adapted:
        assert expected != texts(load_model(folder), "micro_gsm8k")


@torch.no_grad()
@pytest.mark.parametrize("adapted", [False, True])
def test_texts_part_only_where_two_tokens_are_as_good_as_equal(adapted, folder, adapter):
    from vllm import SamplingParams

    path = adapter if adapted else None
    model = with_adapter(str(folder), path, "transformers", {})
    prompts = [model.tokenizer(row["prompt"]).input_ids for row in benchmarks.rows("micro_gsm8k", "test", ITEMS)]
    greedy = SamplingParams(temperature=0, max_tokens=64)
    with VllmModel(str(folder), path, OPTIONS).engine(ITEMS) as engine:
        asked = [{"prompt_token_ids": ids} for ids in prompts]
        made = engine.model.generate(asked, greedy, lora_request=engine.lora_request)
    for ids, output in zip(prompts, made, strict=True):
        whole = model.model.generate(torch.tensor([ids]), max_new_tokens=64, do_sample=False)[0, len(ids) :].tolist()
        found = list(output.outputs[0].token_ids)
        part = next((i for i, (a, b) in enumerate(zip(whole, found, strict=False)) if a != b), None)
        if part is None:
            assert len(whole) == len(found)
            continue
        logits = model.model(torch.tensor([ids + whole[:part]])).logits[0, -1]
        assert logits[whole[part]] - logits[found[part]] < NEAR


def test_multiple_choice_scores_are_those_of_transformers(folder):
    theirs = evaluate(VllmModel(str(folder), options=OPTIONS), "micro_mmlu", limit=ITEMS)
    ours = evaluate(load_model(folder), "micro_mmlu", limit=ITEMS)
    for a, b in zip(theirs.samples, ours.samples, strict=True):
        assert a["log_likelihoods"] == pytest.approx(b["log_likelihoods"], abs=NEAR)
    assert [sample["correct"] for sample in theirs.samples] == [sample["correct"] for sample in ours.samples]
