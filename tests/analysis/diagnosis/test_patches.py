"""Lines of a patch test, against the test itself and paired differences by hand."""

import pytest
import torch
from helpers.models import normal

from semalign.analysis.diagnosis.patches import aligned, patch_lines
from semalign.analysis.diagnosis.patching import PatchTest
from semalign.analysis.diagnosis.states import HeldStates


class Lossy(PatchTest):
    """A patch test in which a row's loss is its first target's sum times the strength; zero gives two."""

    def __init__(self):
        pass

    def own(self):
        return [1.0, 3.0]

    def patched(self, targets, strength):
        return [2.0, 2.0] if targets is None else [strength * float(row[0].sum()) for row in targets]


@pytest.fixture
def states():
    return HeldStates([normal(3, 4), normal(2, 4, seed=1)])


def test_targets_are_the_products_of_each_row(states):
    alignment = normal(4, 5, seed=2)
    for row, found in enumerate(aligned(states, alignment)):
        torch.testing.assert_close(found, states[row] @ alignment)


def test_a_line_has_the_changes_against_the_student_the_control_and_zero(states):
    made = {"semantic": [torch.eye(4)], "permuted": [2 * torch.eye(4), 4 * torch.eye(4)]}
    found = list(patch_lines(Lossy(), states, made, [0.5, 1.0]))
    assert [(each["strength"], each["map"]) for each in found] == [
        (strength, name) for strength in (0.5, 1.0) for name in ("zero", "semantic", "permuted")
    ]
    ours, permuted = found[4], found[5]
    sums = [float(states[row][0].sum()) for row in range(2)]
    nll = sum(sums) / 2
    assert ours["nll"] == pytest.approx(nll) and permuted["nll"] == pytest.approx(3 * nll)  # the mean of both seeds
    assert ours["change"] == pytest.approx(nll - 2) and ours["against_zero"] == pytest.approx(nll - 2)
    assert ours["against_control"] == pytest.approx(-2 * nll)
    differences = sorted(one - own for one, own in zip(sums, [1.0, 3.0], strict=True))
    assert differences[0] <= ours["change_low"] <= ours["change_high"] <= differences[1]
