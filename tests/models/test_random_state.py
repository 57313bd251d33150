"""The state of the random number generators, taken and put back."""

import pytest
import torch

from semalign.models.random_state import random_state, same_random_state, set_random_state


def test_the_same_numbers_come_again():
    with torch.random.fork_rng():
        state = random_state()
        first = torch.rand(3)
        torch.rand(5)
        set_random_state(state)
        assert torch.equal(torch.rand(3), first)


def test_the_state_of_a_gpu_that_is_not_here_is_left_out():
    state = random_state()
    set_random_state({**state, "cuda:999": torch.zeros(16, dtype=torch.uint8)})
    assert state.keys() == random_state().keys()


def test_a_block_draws_numbers_that_come_again_also_after_an_error():
    expected = torch.rand(2, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(5)
    with pytest.raises(ZeroDivisionError), same_random_state():
        torch.manual_seed(1)
        raise ZeroDivisionError
    assert torch.equal(torch.rand(2), expected)


def test_a_gpu_that_nobody_uses_is_not_started(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: pytest.fail("the GPU was started"))
    with same_random_state():
        torch.rand(1)
