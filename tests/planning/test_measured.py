"""Plans against what is measured: every phase on tiny models, its peak memory and its FLOPs within a fifth."""

import importlib.util
from functools import cache
from pathlib import Path

import pytest
import torch

from semalign.models.loading import load_model
from semalign.paths import code_checkout

SOURCE = Path(code_checkout() or ".") / "benchmarks" / "plan_check.py"
PHASES = {
    "bases and map",
    "attribution",
    "teacher states",
    "training",
    "fine-tuning",
    "sensitivities",
    "generation",
    "choices",
}


@pytest.fixture(scope="module")
def plan_check():
    spec = importlib.util.spec_from_file_location("plan_check", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pair(dtype):
    return [load_model(name, dtype=dtype) for name in ("micro-teacher", "micro-student")]


@cache
def counted(plan_check):
    """The FLOPs that are measured, for the plans in both types: they do not depend on it."""
    return plan_check.count(*pair(torch.float32), 64)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_plans_are_within_a_fifth_of_what_is_measured(plan_check, dtype):
    lines = plan_check.lines(*pair(dtype), 64, counted(plan_check))
    assert {line.phase for line in lines} == PHASES
    wrong = [line for line in lines if not 0.8 <= line.memory <= 1.2 or not 0.8 <= (line.flops or 1) <= 1.2]
    assert not wrong
