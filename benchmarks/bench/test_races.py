"""Times both sides of every step at every size; ``make bench`` calls it by pytest."""

from functools import lru_cache

import pytest
import torch

from bench.machine import DEVICE, bytes_limit, device_name, finish, flops_limit, memory_watched
from bench.race import SIDES, Absent, Race, all_steps
from semalign.results.surroundings import commit, versions

STEPS = {step.name: step for step in all_steps()}
CASES = [(name, number) for name, step in STEPS.items() for number in range(len(step.sizes))]


@lru_cache(maxsize=1)
def prepared(name: str, number: int) -> tuple[Race, dict[str, object], int]:
    """Return the work of one size, a place for the results of both sides, and the threads it runs with."""
    torch.manual_seed(0)
    with torch.device(DEVICE):
        race = STEPS[name].build(**STEPS[name].sizes[number])
    return race, {}, torch.get_num_threads()


@pytest.fixture(autouse=True)
def threads():
    """A step may choose its number of threads; the next one has all again."""
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


@pytest.mark.parametrize("name, number, side", [(*case, side) for case in CASES for side in SIDES])
def test_race(benchmark, name, number, side):
    step = STEPS[name]
    try:
        race, results, threads = prepared(name, number)
    except Absent as absence:
        pytest.skip(str(absence))
    torch.set_num_threads(threads)
    run = getattr(race, side)

    def once():
        results[side] = run()
        finish()

    if number == 0:
        once()  # libraries are loaded before the clock starts
    with memory_watched() as memory:
        benchmark.pedantic(once, rounds=step.rounds[number])
    benchmark.extra_info |= {
        "step": name,
        "size": dict(step.sizes[number]),
        "side": side,
        "device": device_name(),
        "commit": commit(),
        "versions": versions(),
        "memory": memory.peak,
        "threads": threads,
        "flops": race.flops,
        "bytes": race.bytes,
        "flops_limit": race.flops and flops_limit(threads),
        "bytes_limit": race.bytes and bytes_limit(threads),
        "difference": race.difference(results["ours"], results["peer"]) if side == "peer" else None,
    }
