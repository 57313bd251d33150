"""The state of PyTorch's random number generators: what is computed again, or goes on later, draws the same numbers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import UInt8
from torch import Tensor

State = Mapping[str, UInt8[Tensor, " bytes"]]


def random_state() -> State:
    """Return the state of the generators of the CPU and of every GPU in use, by the name of the device."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return {"cpu": torch.random.get_rng_state(), **{f"cuda:{number}": state for number, state in enumerate(gpus)}}


def set_random_state(state: State) -> None:
    """Put back a state of :func:`random_state`; that of a GPU that is not here is left out."""
    torch.random.set_rng_state(state["cpu"])
    for number in range(torch.cuda.device_count()):
        if (found := state.get(f"cuda:{number}")) is not None:
            torch.cuda.set_rng_state(found, number)


@contextmanager
def same_random_state() -> Iterator[None]:
    """Put the state back after the block, of every GPU that was in use before it; nothing else of a GPU is touched."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
