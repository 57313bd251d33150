"""Formulas written out: slow, for what is fast to be held against."""

import torch
from torch import nn


def slow_relation(examples):
    """Every pair of positions, one by one."""
    total, positions = 0, 0
    for h, t in examples:
        h, t = h - h.mean(0), t - t.mean(0)
        for i in range(len(h)):
            cosines = (nn.functional.cosine_similarity(x[i], x, dim=-1) for x in (h, t))
            total = total + (next(cosines) - next(cosines)).square().mean()
            positions += 1
    return total / positions


def sum_of_projections(states, basis):
    """Add up proj(h, s_i) = (h . s_i) s_i / |s_i|^2 one atom at a time."""
    total = torch.zeros_like(states)
    for vector in basis.vectors.double()[basis.vectors.any(dim=-1)]:
        total += (states @ vector / vector.square().sum())[:, None] * vector
    return total
