"""The options of the engine, and what they leave to the processes that a command starts."""

import json
import os

import pytest
import typer

from semalign.cli.scoring import engine_of
from semalign.experiments.profile_parts import EvaluationProfile


def test_options_hold_for_the_processes_that_a_command_starts():
    assert engine_of("vllm", ["tensor_parallel_size=2"]) == ("vllm", {"tensor_parallel_size": 2})
    assert os.environ["SEMALIGN_ENGINE"] == "vllm"
    assert json.loads(os.environ["SEMALIGN_VLLM"]) == {"tensor_parallel_size": 2}


def test_options_of_vllm_need_its_engine_which_a_profile_may_name():
    assert engine_of(None, ["seed=1"], EvaluationProfile(engine="vllm", vllm={"seed": 0})) == ("vllm", {"seed": 1})
    with pytest.raises(typer.BadParameter, match="add --engine vllm"):
        engine_of(None, ["seed=1"])
    with pytest.raises(typer.BadParameter, match="'onnx' is not one of transformers, vllm"):
        engine_of("onnx", None)
