"""Times from operations and a machine's peaks."""

import pytest
import torch

from semalign.planning.machines import MACHINES


@pytest.mark.parametrize(
    ("dtype", "peak"),
    [(torch.bfloat16, 312e12), (torch.float16, 312e12), (torch.float32, 19.5e12), (torch.float64, 19.5e12)],
)
def test_a_pass_reaches_a_share_of_the_peak_of_its_type(dtype, peak):
    assert MACHINES["a100"].seconds(10**15, dtype) == pytest.approx(1e15 / (0.4 * peak))


def test_some_memory_is_not_usable():
    assert MACHINES["h100"].usable == 0.92 * 80e9
