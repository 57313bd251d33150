"""Moments of two stores, against whole matrices."""

import torch
from helpers.models import close, normal

from semalign.targets.moments import moments
from semalign.targets.store import StateStore


def store(folder, rows, lengths, name):
    made = StateStore(folder, {"name": name}, lengths, rows.shape[1], rows.dtype)
    parts = rows.split(lengths)
    made.ensure(lambda wanted: [parts[i] for i in wanted])
    return made


def test_moments_are_read_example_by_example(tmp_path, monkeypatch):
    monkeypatch.setattr("semalign.targets.moments.EXAMPLES", 2)
    lengths = [3, 0, 4, 5, 1]
    x, y = normal(13, 4) + 2, normal(13, 3, seed=1) - 1
    stores = store(tmp_path, x, lengths, "x"), store(tmp_path, y, lengths, "y")
    plain, centred = moments(*stores), moments(*stores, centred=True)
    close(plain.xx, x.T @ x)
    close(plain.xy, x.T @ y)
    close(centred.xx, (x - x.mean(0)).T @ (x - x.mean(0)))
    close(centred.xy, (x - x.mean(0)).T @ (y - y.mean(0)))


def test_a_shuffle_moves_positions_within_parts_only(tmp_path, monkeypatch):
    monkeypatch.setattr("semalign.targets.moments.EXAMPLES", 2)
    lengths = [3, 0, 4, 5, 1]
    x, y = normal(13, 4) + 2, normal(13, 3, seed=1) - 1
    stores = store(tmp_path, x, lengths, "x"), store(tmp_path, y, lengths, "y")
    generator = torch.Generator().manual_seed(7)
    parts = zip(x.split([3, 9, 1]), y.split([3, 9, 1]), strict=True)
    expected = sum(a.T @ b[torch.randperm(len(b), generator=generator)] for a, b in parts)
    shuffled = moments(*stores, shuffled=7)
    close(shuffled.xy, expected)
    close(shuffled.xx, x.T @ x)
    assert not torch.allclose(shuffled.xy, moments(*stores).xy)
