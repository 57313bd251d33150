"""Every method in several processes: the losses, measurements and weights of one process."""

import pytest
import torch
from helpers.laten import FAST as LATEN
from helpers.processes import in_processes

from semalign.methods.runner import run_method

FAST = {"epochs": 2, "batch_size": 5, "rank": 2, "learning_rate": 1e-2}
WHOLE = {**FAST, "attribution_examples": 12}
CASES = {
    "the paper's objective": ("semalign", 2, WHOLE),
    "parts of a batch": ("semalign", 2, {**WHOLE, "micro_batch_size": 2}),
    "mean square and KL": ("semalign", 2, {**WHOLE, "layer_loss": "mean_square", "output_loss": "kl"}),
    "centred": ("semalign", 2, {**WHOLE, "centre_targets": True}),
    "centred relations in parts": (
        "semalign",
        2,
        {**WHOLE, "centre_targets": True, "layer_loss": "relation", "micro_batch_size": 1},
    ),
    "fewer examples than processes": ("semalign", 3, {**WHOLE, "batch_size": 2, "centre_targets": True}),
    "several layers": ("semalign", 2, {**WHOLE, "student_layers": [2, 3]}),
    "a map fitted on states": ("ridge", 2, WHOLE),
    "a learned projection": ("layer-distillation", 2, WHOLE),
    "one layer after the other": ("frontier", 2, WHOLE),
    "fine-tuning": ("sft", 3, {**FAST, "micro_batch_size": 2}),
    "fine-tuning, few": ("sft", 3, {**FAST, "batch_size": 2}),
    "Seeking": ("seeking", 2, {**FAST, "lora_dropout": 0.0, "seed_examples": 3}),
    "LaTen": ("laten", 2, {**LATEN, "micro_batch_size": 1}),
}


def result_of(run):
    """Return what a run gives: losses, and all numbers that must not depend on the number of processes."""
    losses = [list(step.values()) for step in run.record["losses"]]
    details = run.record["details"]
    measured = [*details["before"].values(), *details["after"].values(), *(details.get("attribution") or [])]
    weights = {name: p.detach().clone() for name, p in run.model.model.state_dict().items() if "bias" not in name}
    return torch.tensor(losses), torch.tensor(measured), weights


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_several_processes_give_what_one_gives(teacher, student, rows, unseen, tmp_path, case):
    method, n, settings = CASES[case]

    def run(folder):
        held_out = unseen[:5]
        return result_of(run_method(method, teacher, student, rows, output_dir=folder, validation=held_out, **settings))

    found = in_processes(n, lambda: run(tmp_path / "several"))
    alone = run(tmp_path / "one")
    for each in found:
        for ours, theirs in zip(each[:2], alone[:2], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
        for name, weight in alone[2].items():
            torch.testing.assert_close(each[2][name], weight, rtol=1e-6, atol=1e-6)
            assert torch.equal(each[2][name], found[0][2][name])
    names = [sorted(file.name for file in (tmp_path / each).iterdir()) for each in ("one", "several")]
    assert names[0] == names[1]
