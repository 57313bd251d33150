"""Loss scaling (Micikevicius et al. 2018): without it, small gradients of activations vanish in float16."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from semalign.models.random_state import random_state, set_random_state

HIGHEST, LOWEST = 2.0**16, 1.0
T = TypeVar("T")


class LossScale:
    """A power of two that losses are multiplied by before differentiation, and gradients divided by after it.

    It is 1 unless the model has float16 weights. A scale with which a gradient overflows is halved, and the gradient is
    computed again from the same random numbers, so that no step is lost. :meth:`reset` returns to the highest scale.

    Args:
        model: model through which gradients flow.
    """

    def __init__(self, model: nn.Module) -> None:
        self._highest = HIGHEST if any(p.dtype == torch.float16 for p in model.parameters()) else LOWEST
        self.value = self._highest

    def reset(self) -> None:
        """Return to the highest scale."""
        self.value = self._highest

    def backward(self, loss: Tensor) -> None:
        """Differentiate the scaled loss."""
        (loss * self.value).backward()

    def gradients(self, compute: Callable[[], T], parameters: Iterable[nn.Parameter]) -> T:
        """Return what ``compute`` returns after it has called :meth:`backward`; leave unscaled gradients behind.

        Gradients that are not finite at the lowest scale are left as they are, and the training refuses them.
        """
        parameters = list(parameters)
        while True:
            state = random_state()
            result = compute()
            if self.value <= LOWEST:
                return result
            grads = [p.grad for p in parameters if p.grad is not None]
            if all(bool(grad.isfinite().all()) for grad in grads):
                for grad in grads:
                    grad.div_(self.value)
                return result
            self.value /= 2
            set_random_state(state)
            for p in parameters:
                p.grad = None
