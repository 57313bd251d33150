"""The state of the random number generators, taken and put back."""

import torch

from semalign.training.random_state import random_state, set_random_state


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
