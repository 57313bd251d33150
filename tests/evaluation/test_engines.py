"""A model in memory is answered for by transformers, a model that vLLM loads by vLLM."""

import sys
from types import SimpleNamespace

from helpers.models import make_llama, make_tokenizer
from helpers.vllm import MODULE, StandIn
from lm_eval import __version__

from semalign.evaluation.engines import answered_by, engine_identity, engine_of
from semalign.evaluation.transformers_engine import InMemoryModel
from semalign.evaluation.vllm_engine import VllmModel
from semalign.models.identity import model_identity


def saved(folder):
    tokenizer = make_tokenizer()
    make_llama(len(tokenizer), 12, 2, 0).float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return VllmModel(str(folder))


def test_a_model_in_memory_answers_by_itself(model):
    with engine_of(model, 3) as engine:
        assert isinstance(engine, InMemoryModel) and engine.batch_size == 3
    assert engine_identity(model) == {"model": model_identity(model)}


def test_vllm_answers_for_a_model_that_it_loads(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, MODULE, SimpleNamespace(VLLM=StandIn))
    vllm = saved(tmp_path)
    with engine_of(vllm, 3) as engine:
        assert isinstance(engine, StandIn)
    assert engine_identity(vllm) == vllm.identity() and "options" in vllm.identity()


def test_kept_answers_are_of_the_versions_of_their_engine(model, tmp_path):
    in_memory, loaded = answered_by(model), answered_by(saved(tmp_path))
    assert in_memory["lm-eval"] == loaded["lm-eval"] == __version__
    assert "vllm" in loaded and "vllm" not in in_memory
