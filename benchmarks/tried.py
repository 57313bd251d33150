"""What was tried on steps of `make bench` that fall short of their marks: each way beside the step as it is.

The ways of a step take turns, so that a machine that becomes slower slows all of them.

SEMALIGN_DATA=/path/to/data python benchmarks/tried.py
"""

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
import tried_ways
from bench.machine import memory_watched
from measurement import write_measurement
from torch import nn
from torch.profiler import ProfilerActivity, profile
from tried_ways import Ways

from semalign.paths import results_dir

ROUNDS = 3
PATH = results_dir() / "speed" / "tried.json"
STEPS: list[Callable[[], tuple[str, Ways]]] = [
    tried_ways.sandbox,
    tried_ways.seeking,
    tried_ways.laten,
    tried_ways.cross_entropy,
    partial(tried_ways.states_read, 128, 256),
    partial(tried_ways.states_read, 256, 1_024),
    tried_ways.inverse,
    tried_ways.evaluation,  # this one and the next on one thread
    tried_ways.generation,
]
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")


def rows(step: str, ways: Ways) -> list[dict[str, Any]]:
    """Return a row for each way of a step: the median of its rounds after the first, and what another one shows."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(1 + ROUNDS):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            times[way].append(time.perf_counter() - start)
    found = []
    for way, run in ways.items():
        first, *later = times[way]
        line = {"step": step, "way": way, "first": round(first, 4), "seconds": round(median(later), 4)}
        found.append(line | {"memory": peak(run), "products": round(products(run), 4), "calls": calls(run)})
        print(found[-1], flush=True)
    return found


def peak(run: Callable[[], Any]) -> int:
    """Return the bytes that something takes at most."""
    with memory_watched() as memory:
        run()
    return memory.peak


def products(run: Callable[[], Any]) -> float:
    """Return the seconds of something that PyTorch spends in products of matrices."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run()
    return sum(e.self_cpu_time_total for e in seen.key_averages() if e.key in PRODUCTS) / 1e6


def calls(run: Callable[[], Any]) -> int:
    """Return how often something calls a whole model."""
    seen: list[int] = []

    def count(module: nn.Module, args: Any) -> None:
        if hasattr(module, "lm_head"):
            seen.append(1)

    hook = nn.modules.module.register_module_forward_pre_hook(count)
    run()
    hook.remove()
    return len(seen)


def main() -> None:
    rows_of_steps = [row for step in STEPS for row in rows(*step())]
    write_measurement(PATH, {"threads": torch.get_num_threads(), "rows": rows_of_steps})


if __name__ == "__main__":
    main()
