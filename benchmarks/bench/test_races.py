"""Times both sides of every step at every size, which take turns; ``make bench`` calls it by pytest."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import quantiles
from typing import Any

import pytest
import torch

from bench.machine import DEVICE, bytes_limit, device_name, finish, flops_limit, memory_watched
from bench.race import Absent, Race, all_steps
from semalign.results.surroundings import commit, versions

STEPS = {step.name: step for step in all_steps()}
CASES = [(name, number) for name, step in STEPS.items() for number in range(len(step.sizes))]


class Turns:
    """Both sides of a race: the peer runs before each round of ours, so that the machine is the same for both.

    ``seconds`` are the peer's times, ``results`` the latest of each side, and ``memory`` the peaks of all rounds.
    """

    def __init__(self, race: Race) -> None:
        self.race = race
        self.seconds: list[float] = []
        self.results: dict[str, Any] = {}
        self.memory: dict[str, list[int | None]] = {}
        self._watch = ExitStack()

    def ours(self) -> None:
        """Run our side; pytest-benchmark times it."""
        self._run("ours", self.race.ours)

    def peer(self) -> None:
        """Run the peer, without keeping its time."""
        self._run("peer", self.race.peer)

    def before(self) -> None:
        """Run the peer with its time and memory, and begin to watch the memory of ours."""
        with self._watched("peer"):
            start = time.perf_counter()
            self.peer()
            self.seconds.append(time.perf_counter() - start)
        self._watch = self._watched("ours")

    def after(self) -> None:
        """Keep the memory of ours."""
        self._watch.close()

    def stats(self) -> dict[str, float]:
        """Return median, quartiles and number of the peer's times, as pytest-benchmark names them."""
        cuts = quantiles(self.seconds, method="inclusive") if len(self.seconds) > 1 else self.seconds * 3
        return {**dict(zip(("q1", "median", "q3"), cuts, strict=True)), "rounds": len(self.seconds)}

    def largest(self, side: str) -> int | None:
        """Return the largest peak of a side; None where the system cannot tell."""
        return max((peak for peak in self.memory[side] if peak is not None), default=None)

    def _run(self, side: str, run: Callable[[], Any]) -> None:
        self.results[side] = run()
        finish()

    def _watched(self, side: str) -> ExitStack:
        stack = ExitStack()
        peaks = self.memory.setdefault(side, [])
        stack.callback(lambda: peaks.append(found.peak))  # after the watching has ended
        found = stack.enter_context(memory_watched())
        return stack


@pytest.fixture(autouse=True)
def threads():
    """A step may choose its number of threads; the next one has all again."""
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


@pytest.mark.parametrize("name, number", CASES)
def test_race(benchmark, name, number):
    step = STEPS[name]
    torch.manual_seed(0)
    try:
        with torch.device(DEVICE):
            race = step.build(**step.sizes[number])
    except Absent as absence:
        pytest.skip(str(absence))
    turns = Turns(race)
    if number == 0:  # libraries are loaded before the clock starts
        turns.peer()
        turns.ours()
    benchmark.pedantic(turns.ours, setup=turns.before, teardown=turns.after, rounds=step.rounds[number])
    threads = torch.get_num_threads()
    benchmark.extra_info |= {
        "step": name,
        "size": dict(step.sizes[number]),
        "device": device_name(),
        "commit": commit(),
        "versions": versions(),
        "memory": turns.largest("ours"),
        "peer": {**turns.stats(), "memory": turns.largest("peer")},
        "threads": threads,
        "flops": race.flops,
        "bytes": race.bytes,
        "flops_limit": race.flops and flops_limit(threads),
        "bytes_limit": race.bytes and bytes_limit(threads),
        "difference": race.difference(turns.results["ours"], turns.results["peer"]),
    }
