"""What holds at every step of a training: only the adapter has dropout, and loss and gradients are finite."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from semalign.models.architecture import Architecture
from semalign.models.finite import NotFiniteError, not_finite


@contextmanager
def adapter_dropout(model: nn.Module) -> Iterator[None]:
    """Turn on the dropout of the adapter only, so that frozen modules behave in training as at inference."""
    modules = [module for name, module in model.named_modules() if "lora_dropout" in name]
    try:
        for module in modules:
            module.train()
        yield
    finally:
        for module in modules:
            module.eval()


def check_loss(terms: Mapping[str, float], step: int, student: Architecture | None, rerun: Callable[[], Any]) -> None:
    """Make sure that a loss is finite.

    Args:
        terms: the terms of the loss.
        step: the number of its step, from 1.
        student: the model that the loss is computed with, if it is known.
        rerun: computes the loss again.

    Raises:
        NotFiniteError: for NaN or infinity. No update has come before the first step: what is wrong is then in the
            model, and the message says where.
    """
    if all(map(math.isfinite, terms.values())):
        return
    if step == 1 and student is not None:
        raise not_finite("the losses of the first step", student, rerun)
    raise NotFiniteError(f"the loss is not finite at step {step}: lower learning_rate")


def check_gradients(parameters: Iterable[nn.Parameter], step: int) -> None:
    """Make sure that no gradient is NaN or infinity, which the loss need not tell.

    Raises:
        NotFiniteError: if one is, before any weight has changed.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    if not torch.nn.utils.get_total_norm(grads).isfinite():
        raise NotFiniteError(
            f"a gradient is not finite at step {step}, though the loss is: use a wider dtype, such as bfloat16 or "
            "float32, or lower learning_rate"
        )
