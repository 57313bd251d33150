"""Plans against what is measured: every phase on tiny models, its peak memory and its FLOPs within a fifth."""

import sys
from functools import cache

import pytest
import torch

from semalign.models.loading import load_model
from semalign.paths import project_root

sys.path.insert(0, str(project_root() / "benchmarks"))

import plan_check

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


def pair(dtype):
    return [load_model(name, dtype=dtype) for name in ("micro-teacher", "micro-student")]


@cache
def counted():
    """The FLOPs that are measured, for the plans in both types: they do not depend on it."""
    return plan_check.count(*pair(torch.float32), 64)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_plans_are_within_a_fifth_of_what_is_measured(dtype):
    lines = plan_check.lines(*pair(dtype), 64, counted())
    assert {line.phase for line in lines} == PHASES
    assert not [line for line in lines if not 0.8 <= line.memory <= 1.2 or not 0.8 <= line.flops <= 1.2]


def test_what_moves_is_as_large_as_arithmetic_says():
    sizes = plan_check.moved(*pair(torch.float32), 8)
    assert len(sizes) == 4 and all(size.planned == size.measured > 0 for size in sizes)
