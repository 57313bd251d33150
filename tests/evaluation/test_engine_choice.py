"""Which engine answers: the process's, else the profile's."""

import pytest

from semalign.evaluation.engine_choice import EngineChoice, choose, chosen


def test_the_process_comes_before_the_profile():
    given = ("vllm", {"tensor_parallel_size": 2, "seed": 1})
    assert chosen() == EngineChoice("transformers", {})
    assert chosen(*given) == EngineChoice(*given)
    choose(None, {"seed": 3})
    assert chosen(*given) == EngineChoice("vllm", {"tensor_parallel_size": 2, "seed": 3})
    choose("vllm", {})
    assert chosen() == EngineChoice("vllm", {"seed": 3})


def test_another_engine_takes_no_options_of_the_profile_and_none_of_the_process():
    choose("transformers", {})
    assert chosen("vllm", {"tensor_parallel_size": 2}) == EngineChoice("transformers", {})
    choose(None, {"seed": 3})
    with pytest.raises(ValueError, match="options of vLLM need its engine: add --engine vllm"):
        chosen("vllm")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [("onnx", "", "SEMALIGN_ENGINE names 'onnx'"), ("vllm", "2", "SEMALIGN_VLLM must hold a mapping")],
)
def test_a_wrong_variable_is_named(monkeypatch, name, options, message):
    monkeypatch.setenv("SEMALIGN_ENGINE", name)
    monkeypatch.setenv("SEMALIGN_VLLM", options)
    with pytest.raises(ValueError, match=message):
        chosen()
