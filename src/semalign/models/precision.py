"""The types of numbers: frozen weights and forward passes keep the checkpoint's, sums and training are wider.

Half precision has 11 significant bits (float16) or 8 (bfloat16), and float16 ends at 65,504. Forward passes work with
that, because matrix products add up in float32. Everything else does not: ``|z|^2`` over a vocabulary overflows
float16, losses that are rounded to 8 bits do not fall, and changes of a weight by 1e-5 of its size vanish. Therefore
losses, norms, Gram matrices, maps, targets, adapters, their gradients and the optimiser's state are at least float32.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def wide_type(dtype: torch.dtype) -> torch.dtype:
    """Return float32 for a half-precision type, and a wider type itself."""
    return torch.promote_types(dtype, torch.float32)


def wide(tensor: Tensor) -> Tensor:
    """Return half-precision numbers as float32, and wider ones as they are."""
    return tensor.to(wide_type(tensor.dtype))


def is_half(model: nn.Module) -> bool:
    """Return whether a model has a weight in half precision."""
    return any(p.is_floating_point() and p.dtype != wide_type(p.dtype) for p in model.parameters())


def wide_copy(model: Network) -> Network:
    """Return a copy of a model, with half-precision weights in float32."""
    return deepcopy(model).float() if is_half(model) else deepcopy(model)


def wide_model(model: Network) -> Network:
    """Return a copy of a model with its half-precision weights in float32; a model without such weights as it is."""
    return wide_copy(model) if is_half(model) else model


def types_of(parameters: Iterable[Tensor]) -> list[str]:
    """Return the names of the floating-point types of some parameters, as they stand in records."""
    return sorted({str(p.dtype).removeprefix("torch.") for p in parameters if p.is_floating_point()})
