import copy

import pytest
import torch

from semalign.micro.muon import Muon, orthogonalized


def matrices(dtype: torch.dtype = torch.float32) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(5)
    shapes = [(6, 4), (4, 6), (6, 4), (8, 8)]
    return [torch.nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


@pytest.mark.parametrize("shape", [(3, 16, 40), (3, 40, 16)])
def test_orthogonalised_matrices_have_singular_values_near_one_and_the_same_singular_vectors(shape):
    batch = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    u, _, vh = torch.linalg.svd(batch, full_matrices=False)
    inner = u.mT @ orthogonalized(batch) @ vh.mT
    values = torch.diagonal(inner, dim1=1, dim2=2)
    torch.testing.assert_close(inner, torch.diag_embed(values), atol=1e-12, rtol=0)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_steps_agree_with_those_of_torch_to_the_accuracy_of_bfloat16():
    ours = matrices()
    theirs = copy.deepcopy(ours)
    optimizers = [
        Muon(ours, lr=0.1, momentum=0.9, weight_decay=0.05),
        torch.optim.Muon(theirs, lr=0.1, momentum=0.9, weight_decay=0.05),
    ]
    generator = torch.Generator().manual_seed(2)
    for _ in range(3):
        for mine, peer in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            peer.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    start = matrices()
    for mine, peer, first in zip(ours, theirs, start, strict=True):
        torch.testing.assert_close(mine, peer, atol=0.03, rtol=0)
        assert (mine - first).abs().max() > 0.1
