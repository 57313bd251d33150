"""The choice of blocks by brute force, and what tells that a student has changed."""

import itertools

import torch

from helpers.models import make_llama
from semalign.models.architecture import Architecture

LLAMA = Architecture(make_llama(8, 4, 1, seed=0)).layout.matrices


@torch.no_grad()
def logits(model, text_ids=(5, 9, 7, 30, 12)):
    return model(torch.tensor([text_ids])).logits


def best_window(sensitivity, shape):
    """Every window, summed one by one."""
    corners = itertools.product(range(len(sensitivity) - shape[0] + 1), range(sensitivity.shape[1] - shape[1] + 1))
    return max(corners, key=lambda c: sensitivity[c[0] : c[0] + shape[0], c[1] : c[1] + shape[1]].sum())


def best_rows_and_columns(sensitivity, shape):
    return tuple(
        torch.tensor(sorted(sorted(range(len(sums)), key=lambda i: -sums[i])[:k]))
        for sums, k in zip((sensitivity.sum(1), sensitivity.sum(0)), shape, strict=True)
    )
