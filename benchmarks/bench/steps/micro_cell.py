"""One number of a table of the micro family: a transfer and its score. Nobody else computes it: the peer is a limit."""

import time

import torch

from bench.race import Race, step
from semalign.experiments.cells import Cell
from semalign.experiments.profiles import load_profile
from semalign.experiments.runs import run_cell

LIMIT = 10.0  # seconds


@step(
    title="A micro cell: transfer and score",
    peer="the project's limit of 10 s",
    reach=1.0,
    sizes=[{"task": "micro_mmlu"}, {"task": "micro_gsm8k"}],
    rounds=(1, 1),
)
def micro_cell(task: str) -> Race:
    """SemAlign with the micro profile's settings, seed 0."""
    torch.set_num_threads(1)
    profile = load_profile("micro")
    cell = Cell("semalign", profile.teacher, profile.student, task, 0)

    return Race(
        ours=lambda: run_cell(profile, cell)["value"], peer=lambda: time.sleep(LIMIT), difference=lambda *_: 0.0
    )
