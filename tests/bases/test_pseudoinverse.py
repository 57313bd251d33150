"""The pseudoinverse by way of the Gram matrix against the literal one."""

import pytest
import torch
from helpers.models import head

from semalign.bases.pseudoinverse import gram, gram_pseudoinverse


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e5])
def test_an_ill_conditioned_head_is_still_exact(condition):
    u, _, v = torch.linalg.svd(head(), full_matrices=False)
    weight = u * torch.logspace(0, -torch.tensor(condition).log10().item(), 12, dtype=torch.float64) @ v
    inverse, _, rank = gram_pseudoinverse(weight)
    assert rank == 12
    torch.testing.assert_close(weight @ inverse, torch.linalg.pinv(weight).T, rtol=1e-4, atol=1e-4 * condition)


def test_gram_adds_up_over_chunks(monkeypatch):
    monkeypatch.setattr("semalign.bases.pseudoinverse.CHUNK", 7)
    weight = head()
    torch.testing.assert_close(gram(weight), weight.T @ weight)
