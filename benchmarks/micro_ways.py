"""What else would make a grid of the micro family faster: items scored at a time, threads, and how cells add up.

python benchmarks/micro_ways.py
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from tempfile import TemporaryDirectory
from typing import Any

import torch
from measurement import write_measurement
from micro_cell import PROFILE, timed

from semalign import load_model
from semalign.experiments.cells import Cell
from semalign.experiments.profiles import Profile, load_profile
from semalign.experiments.runs import run_cell
from semalign.paths import results_dir
from semalign.results.records import NONE, PAPER

GENERATED = ("micro_gsm8k", "micro_humaneval", "micro_mbpp")
BATCHES, THREADS, CELLS = (64, 128, 256), (1, 2), (1, 2, 4)
SMALL = {"train_size": 100, "epochs": 1}  # of the cells that are counted
ITEMS = 100
PATH = results_dir() / "speed" / "micro-ways.json"


@contextmanager
def empty_cache() -> Iterator[None]:
    """Keep nothing from before, and nothing for later."""
    with TemporaryDirectory() as folder:
        os.environ["SEMALIGN_CACHE"] = folder
        yield


def seconds(profile: Profile, cells: list[Cell]) -> float:
    """Return the seconds of some cells, one after the other."""
    with empty_cache():
        start = time.perf_counter()
        for cell in cells:
            run_cell(profile, cell)
        return round(time.perf_counter() - start, 1)


def scores(asked: Profile) -> list[dict[str, Any]]:
    """Return the seconds in which the student as it is answers and is scored, by the number of items at a time."""
    found = []
    for task in GENERATED:
        cell = Cell(NONE, None, asked.student, task, None)
        for batch in BATCHES:
            given = asked.model_copy(update={"evaluation": asked.evaluation.model_copy(update={"batch_size": batch})})
            found.append({"task": task, "batch": batch, "seconds": seconds(given, [cell])})
            print(found[-1], flush=True)
    return found


def threads() -> list[dict[str, Any]]:
    """Return the seconds of training steps by the number of threads."""
    decoder, found = load_model("micro-student").model.model.requires_grad_(False), []
    for number in THREADS:
        torch.set_num_threads(number)
        found.append({"threads": number, "seconds": timed(f"{number} threads", decoder, nullcontext())["later"]})
    torch.set_num_threads(1)
    return found


def cells(asked: Profile) -> list[dict[str, Any]]:
    """Return the seconds of some small cells that differ in their seeds, in one process."""
    tasks = {"micro_mmlu": asked.tasks["micro_mmlu"].model_copy(update=SMALL)}
    scored = asked.evaluation.model_copy(update={"limit": ITEMS})
    given = asked.model_copy(update={"tasks": tasks, "evaluation": scored})
    every = [Cell(PAPER, given.teacher, given.student, "micro_mmlu", seed) for seed in range(max(CELLS))]
    seconds(given, every[:1])  # libraries are loaded before the clock starts
    return [{"cells": number, "seconds": seconds(given, every[:number])} for number in CELLS]


def main() -> None:
    torch.set_num_threads(1)
    asked = load_profile(PROFILE)
    found = {"profile": PROFILE, **SMALL, "items": ITEMS}
    write_measurement(PATH, found | {"cells": cells(asked), "threads": threads(), "scores": scores(asked)})


if __name__ == "__main__":
    main()
