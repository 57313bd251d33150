"""Training states on disk: everything comes back, bit for bit."""

import pytest
import torch
from torch import nn

from semalign.micro.checkpoint import TENSORS, restore, save
from semalign.tensor_files import read_tensors


def trained(steps, seed=0):
    """Return a model and two optimizers, one of which has had no step."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    adam = torch.optim.AdamW(model[0].parameters(), lr=0.1)
    momentum = torch.optim.SGD(model[1].parameters(), lr=0.1, momentum=0.9)
    for step in range(steps):
        model(torch.full((1, 3), float(step))).square().sum().backward()
        adam.step()
        model.zero_grad()
    return model, [adam, momentum]


def equal_states(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(value, other[key]) for key, value in one.items())


def test_weights_optimizers_and_progress_come_back(tmp_path):
    model, optimizers = trained(3)
    save(tmp_path / "state", model, optimizers, 3, [0.5, 0.25, 0.125])
    new, new_optimizers = trained(1, seed=1)
    assert restore(tmp_path / "state", new, new_optimizers) == (3, [0.5, 0.25, 0.125])
    assert equal_states(model.state_dict(), new.state_dict())
    ours, theirs = (each[0].state_dict() for each in (optimizers, new_optimizers))
    assert ours["state"].keys() == theirs["state"].keys() == {0, 1}
    assert all(equal_states(state, theirs["state"][i]) for i, state in ours["state"].items())
    assert ours["state"][0]["step"] == 3 and theirs["param_groups"] == ours["param_groups"]
    assert not new_optimizers[1].state_dict()["state"]


def test_training_goes_on_as_if_nothing_had_been(tmp_path):
    model, optimizers = trained(2)
    save(tmp_path / "state", model, optimizers, 2, [])
    new, new_optimizers = trained(0, seed=1)
    restore(tmp_path / "state", new, new_optimizers)
    for each, (adam, _) in ((model, optimizers), (new, new_optimizers)):
        each(torch.ones(1, 3)).square().sum().backward()
        adam.step()
    assert equal_states(model.state_dict(), new.state_dict())


def test_nothing_is_restored_where_nothing_is(tmp_path):
    model, optimizers = trained(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert restore(tmp_path / "state", model, optimizers) == (0, [])
    assert equal_states(model.state_dict(), before)


def test_a_state_of_another_shape_is_an_error(tmp_path):
    model, optimizers = trained(1)
    save(tmp_path / "state", model, optimizers, 1, [1.0])
    with pytest.raises(RuntimeError, match="size mismatch"):
        restore(tmp_path / "state", nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)), optimizers)


def test_a_state_is_one_file_without_pickle_and_replaces_the_last(tmp_path):
    model, optimizers = trained(1)
    for steps in (1, 2):
        save(tmp_path / "state", model, optimizers, steps, [1.0] * steps)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["state", TENSORS])
    assert read_tensors(tmp_path / "state" / TENSORS)[1] == {"steps": 2, "losses": [1.0, 1.0]}
