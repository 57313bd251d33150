"""vLLM itself against transformers: the same greedy texts. In an environment of its own: `make test-vllm`."""

from importlib.util import find_spec

import pytest

from semalign import load_model
from semalign.cli import _with_adapter
from semalign.evaluation import evaluate
from semalign.settings import TrainingSettings
from semalign.steering import add_lora
from semalign.vllm_engine import VllmModel

pytestmark = pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed here: make test-vllm")
OPTIONS = {"enforce_eager": True, "max_model_len": 512}
ITEMS = 32


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """An adapter that changes what the student says: large random numbers in place of the zeros it begins with."""
    import torch

    folder = tmp_path_factory.mktemp("adapter")
    model = add_lora(load_model("micro-student").model, [2, 5], TrainingSettings(rank=8))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)
    return folder


def texts(model, task):
    return [sample["generation"] for sample in evaluate(model, task, limit=ITEMS).samples]


@pytest.mark.parametrize("adapted", [False, True])
def test_greedy_texts_are_those_of_transformers(adapted, adapter):
    folder = adapter if adapted else None
    expected = texts(_with_adapter("micro-student", folder, "transformers", {}), "micro_gsm8k")
    assert texts(VllmModel("micro-student", folder, OPTIONS), "micro_gsm8k") == expected
    if adapted:
        assert expected != texts(load_model("micro-student"), "micro_gsm8k")


def test_multiple_choice_scores_are_those_of_transformers():
    theirs = evaluate(VllmModel("micro-student", options=OPTIONS), "micro_mmlu", limit=ITEMS)
    ours = evaluate(load_model("micro-student"), "micro_mmlu", limit=ITEMS)
    assert [sample["correct"] for sample in theirs.samples] == [sample["correct"] for sample in ours.samples]
