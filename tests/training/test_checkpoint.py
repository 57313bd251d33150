"""The checkpoint file of a run: what comes back, and when none does."""

import pytest
import torch
from torch import nn

from semalign.models.random_state import random_state
from semalign.tensor_files import read_tensors
from semalign.training.checkpoint import Checkpoint
from semalign.training.learning_rate import LinearDecay

RATE = LinearDecay(20, 0.1)


def trained(path, identity="same", steps=2, rate=RATE, **options):
    """Return a checkpoint of a small model after some steps."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), **options)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.rand(4, 3)).square().sum().backward()
        optimizer.step()
    return Checkpoint(path, identity, dict(model.named_parameters()), optimizer, rate)


def test_weights_optimiser_losses_scale_and_random_numbers_come_back(tmp_path):
    written = trained(tmp_path / "a.safetensors")
    written.write([{"loss": 1.5}], 8.0)
    random = random_state()["cpu"]
    read = trained(tmp_path / "a.safetensors", steps=0)
    position = read.read()
    assert position.losses == [{"loss": 1.5}] and position.scale == 8.0
    assert torch.equal(position.random["cpu"], random)
    for name, p in written.parameters.items():
        assert torch.equal(read.parameters[name], p)
        ours, theirs = written.optimizer.state[p], read.optimizer.state[read.parameters[name]]
        assert ours.keys() == theirs.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(ours[key], theirs[key]) and ours[key].dtype == theirs[key].dtype for key in ours)


def test_a_checkpoint_of_another_run_is_not_read(tmp_path, caplog):
    trained(tmp_path / "a.safetensors", "one").write([], 1.0)
    other = trained(tmp_path / "a.safetensors", "two", steps=0)
    before = {name: p.clone() for name, p in other.parameters.items()}
    assert other.read() is None and "starting anew" in caplog.text
    assert all(torch.equal(p, before[name]) for name, p in other.parameters.items()) and not other.optimizer.state


@pytest.mark.parametrize("name", [None, "absent.safetensors"])
def test_without_a_file_there_is_nothing_to_read(tmp_path, name):
    assert trained(name and tmp_path / name).read() is None


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(None).write([], 1.0)
    assert not list(tmp_path.iterdir())


def test_equal_states_give_equal_files(tmp_path):
    for name in "ab":
        trained(tmp_path / name).write([{"loss": 1.0}], 2.0)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    notes = {"identity": "same", "total": 20, "losses": [{"loss": 1.0}], "scale": 2.0}
    assert read_tensors(tmp_path / "a")[1] == notes


def test_a_run_of_another_length_goes_on_as_long_as_the_rates_are_the_same(tmp_path, caplog):
    path = tmp_path / "a.safetensors"
    trained(path).write([{"loss": 1.0}] * 3, 1.0)
    longer = LinearDecay(22, 0.1)  # two steps warm up in both, and the third has the full rate
    assert trained(path, rate=longer).read().losses == [{"loss": 1.0}] * 3
    trained(path).write([{"loss": 1.0}] * 4, 1.0)
    assert trained(path, rate=longer).read() is None
    assert f"{path} is of a run of 20 steps, this one has 22" in caplog.text and "--adapter" in caplog.text


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"foreach": True}])
def test_the_optimiser_goes_on_with_its_state(tmp_path, options):
    path = tmp_path / "a.safetensors"
    trained(path, **options).write([], 1.0)
    after = []
    for steps in (2, 0):
        run = trained(path, steps=steps, **options)
        run.read()
        for p in run.parameters.values():
            p.grad = torch.full_like(p, 0.3)
        run.optimizer.step()
        after.append([p.detach().clone() for p in run.parameters.values()])
        assert {run.optimizer.state[p]["step"].item() for p in run.parameters.values()} == {3}
    assert all(map(torch.equal, *after))
