"""Run a model in evaluation mode, under PyTorch's own defaults, whatever the caller has set; all is put back after."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn


@contextmanager
def plain_torch(*, gradients: bool) -> Iterator[None]:
    """Set aside what the caller has set in PyTorch while the block runs.

    Inside the block, gradients are recorded or not as the argument says (also below ``torch.inference_mode``), autocast
    is off, numbers are float32 by default, and new tensors go to the CPU by default.

    Args:
        gradients: whether operations are recorded.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # this turns gradients on, so it comes first
        stack.enter_context(torch.set_grad_enabled(gradients))
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextmanager
def evaluating(model: nn.Module, *, gradients: bool = False) -> Iterator[None]:
    """Put a model in evaluation mode while the block runs: no dropout, no gradient checkpointing, :func:`plain_torch`.

    Each module's mode and each parameter's ``requires_grad`` are as before when the block ends, also by an exception.

    Args:
        model: the model.
        gradients: whether operations are recorded; parameters then need no gradient, only activations and what the
            block adds.

    Raises:
        ValueError: if gradients cannot pass through the model, because it was made under ``torch.inference_mode``.
    """
    modes = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()] if gradients else []
    if any(parameter.is_inference() for parameter, _ in wanted):
        raise ValueError("no gradient passes through a model made under torch.inference_mode: load it outside of it")
    with plain_torch(gradients=gradients):
        try:
            model.eval()
            for parameter, _ in wanted:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            # By place: the hooks of Accelerate put new parameters in place of those that they move.
            for parameter, (_, flag) in zip(model.parameters(), wanted, strict=False):
                parameter.requires_grad_(flag)
