"""How long a cell of the micro family takes at Table 5's sizes, and what would make its training steps faster.

A cell is a transfer and its score, with nothing kept from before, on one thread. The steps are those of the student
alone, forward and backward from its first layer, in ways that are known to help larger models.

python benchmarks/micro_cell.py --out data/results/speed/micro-cell.json
"""

import argparse
import copy
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from measurement import write_measurement
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile

from semalign import load_model
from semalign.experiments.cells import Cell
from semalign.experiments.profiles import load_profile
from semalign.experiments.runs import run_cell

PROFILE = "micro"
ROWS, LENGTHS, ROUNDS = 16, (96, 112, 128, 144, 160, 176), 8


def cell_times() -> list[dict[str, Any]]:
    """Return the seconds of one cell of each task: of all, and of the transfer in it."""
    asked, found = load_profile(PROFILE), []
    for task in asked.tasks:
        start = time.perf_counter()
        record = run_cell(asked, Cell("semalign", asked.teacher, asked.student, task, 0))
        seconds = time.perf_counter() - start
        found.append({"task": task, "seconds": round(seconds, 1), "transfer": round(record["seconds"], 1)})
        print(found[-1], flush=True)
    return found


def fused(decoder: nn.Module) -> nn.Module:
    """Return a copy whose layers make query, key and value by one product, and gate and up by another."""
    made = copy.deepcopy(decoder)
    for layer in made.layers:
        layer.mlp.forward = partial(_gated, _stacked(layer.mlp.gate_proj, layer.mlp.up_proj), layer.mlp)
        attention = layer.self_attn
        projections = [attention.q_proj, attention.k_proj, attention.v_proj]
        product = _Split(_stacked(*projections), [len(each.weight) for each in projections])
        for part, projection in enumerate(projections):
            projection.forward = partial(product, part)
    return made


def _stacked(*projections: nn.Module) -> Tensor:
    return torch.cat([each.weight for each in projections])


def _gated(weights: Tensor, mlp: Any, states: Tensor) -> Tensor:
    gate, up = functional.linear(states, weights).chunk(2, dim=-1)
    return mlp.down_proj(mlp.act_fn(gate) * up)


class _Split:
    """One product for several projections: made when the first is asked for, kept for the others."""

    def __init__(self, weights: Tensor, sizes: list[int]) -> None:
        self.weights, self.sizes = weights, sizes

    def __call__(self, part: int, states: Tensor) -> Tensor:
        if part == 0:
            self.made = functional.linear(states, self.weights).split(self.sizes, dim=-1)
        return self.made[part]


def compiled(decoder: nn.Module) -> nn.Module:
    """Return a copy with compiled layers, for all lengths."""
    made = copy.deepcopy(decoder)
    for layer in made.layers:
        layer.compile(dynamic=True)
    return made


def steps(decoder: nn.Module) -> None:
    """Run a step at each length: forward, and backward to the states that enter the first layer."""
    draw = torch.Generator().manual_seed(0)
    dtype = next(decoder.parameters()).dtype
    for length in LENGTHS:
        mask = torch.ones(ROWS, length, dtype=torch.long)
        mask[0, -4:] = 0
        states = torch.randn(ROWS, length, decoder.config.hidden_size, generator=draw).to(dtype).requires_grad_()
        decoder(inputs_embeds=states, attention_mask=mask, use_cache=False).last_hidden_state.square().mean().backward()


def step_times() -> list[dict[str, Any]]:
    """Return the seconds of the steps in each way: the first time, and the median of later ones."""
    decoder = load_model("micro-student").model.model.requires_grad_(False)
    ways: dict[str, tuple[Callable[[], nn.Module], Any]] = {
        "as it is": (lambda: decoder, nullcontext()),
        "fused products": (partial(fused, decoder), nullcontext()),
        "attention by plain products": (lambda: decoder, sdpa_kernel(SDPBackend.MATH)),
        "bfloat16": (lambda: copy.deepcopy(decoder).bfloat16(), nullcontext()),
        "torch.compile": (partial(compiled, decoder), nullcontext()),
    }
    return [timed(way, make(), context) for way, (make, context) in ways.items()]


def shares() -> dict[str, float]:
    """Return the shares of matrix products and of attention in the time of the steps, by PyTorch's profiler."""
    decoder = load_model("micro-student").model.model.requires_grad_(False)
    steps(decoder)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        steps(decoder)
    times = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
    parts = {"products": "aten::mm", "attention": "aten::_scaled_dot_product"}
    return {
        part: round(sum(time for key, time in times.items() if key.startswith(name)) / sum(times.values()), 2)
        for part, name in parts.items()
    }


def timed(way: str, decoder: nn.Module, context: Any) -> dict[str, Any]:
    """Return a row with the times of one way."""
    with context:
        times = []
        for _ in range(1 + ROUNDS):
            start = time.perf_counter()
            steps(decoder)
            times.append(time.perf_counter() - start)
    found = {"way": way, "first": round(times[0], 1), "later": round(median(times[1:]), 2)}
    print(found, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file for the numbers")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        os.environ |= {"SEMALIGN_CACHE": folder, "TORCHINDUCTOR_CACHE_DIR": f"{folder}/compiled"}
        report = {"profile": PROFILE, "cells": cell_times(), "steps": step_times(), "shares": shares()}
    if given.out:
        write_measurement(given.out, report)


if __name__ == "__main__":
    main()
