"""Values of the layer losses at each position, by hand and against the losses over whole examples."""

import pytest
import torch
from helpers.formulas import slow_relation
from helpers.models import close, normal

from semalign.training.layer_losses import LAYER_LOSSES
from semalign.training.losses import layer_cosine_loss


def values(name, states, targets, rows=(0, 0)):
    return LAYER_LOSSES[name].values(states, targets, torch.tensor(rows))


def test_values_by_hand():
    states, targets = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[4.0, 3.0], [0.0, 2.0]])
    assert values("cosine", states, targets).tolist() == pytest.approx([1 - 24 / 25, 1.0], abs=1e-6)
    assert values("mean_square", states, targets).tolist() == [1.0, 2.5]


def test_the_mean_of_the_cosine_values_is_the_papers_term():
    states, targets = normal(7, 4), normal(7, 4, seed=1)
    close(values("cosine", states, targets, [0] * 7).mean(), layer_cosine_loss(states, targets))


def test_relations_are_within_rows_of_any_length_and_number():
    states, targets, lengths = normal(10, 4), normal(10, 6, seed=1), [5, 1, 4]
    rows = [row for row, length in zip((0, 3, 4), lengths, strict=True) for _ in range(length)]
    found = values("relation", states, targets, rows)
    assert found.shape == (10,)
    close(found.mean(), slow_relation(list(zip(states.split(lengths), targets.split(lengths), strict=True))))


def test_only_relations_compare_two_spaces():
    assert [name for name in LAYER_LOSSES if LAYER_LOSSES[name].any_space] == ["relation"]
