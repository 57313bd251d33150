"""What attribution looks at in a model: for each layer, a module whose output is the activation that is scored."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from semalign.models.architecture import Architecture, check_interface
from semalign.models.head_outputs import HEADS
from semalign.models.offload import spread
from semalign.models.patching import entering, first, patched_forward


def units_of(architecture: Architecture, interface: str) -> int:
    """Return how many units of a layer have a score each: its attention heads for ``heads``, else one.

    Raises:
        ValueError: for an unknown interface.
    """
    return architecture.n_heads if interface == HEADS else int(bool(check_interface(interface)))


@contextmanager
def activation_modules(architecture: Architecture, interface: str) -> Iterator[list[nn.Module]]:
    """Yield, for each layer, a module whose output is the activation at the interface, or the heads' outputs.

    Probes stand for the modules where the activation is a difference or what a module is given, or where a device map
    spreads the layers: captum takes the activations of one device.
    """
    numbers = range(1, architecture.n_layers + 1)
    modules = [_module(architecture, k, interface) for k in numbers]
    if interface not in ("residual", HEADS) and not spread(architecture.model):
        yield modules
        return
    probe = _input_probe if interface == HEADS else partial(_output_probe, difference=interface == "residual")
    with ExitStack() as probes:
        yield [probes.enter_context(probe(each, architecture.device)) for each in modules]


def _module(architecture: Architecture, k: int, interface: str) -> nn.Module:
    return architecture.head_mixer(k) if interface == HEADS else architecture.writer(k, interface)


@contextmanager
def scaled(module: nn.Module, factors: Sequence[float]) -> Iterator[None]:
    """Multiply a module's output by factors while the block runs: one for each unit, whose channels stand together."""
    forward = module.forward

    def multiplied(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        state = first(output)
        each = state.new_tensor(factors).repeat_interleave(state.shape[-1] // len(factors))
        return (state * each, *output[1:]) if isinstance(output, tuple) else state * each

    with patched_forward(module, multiplied):
        yield


@contextmanager
def _output_probe(module: nn.Module, device: torch.device, difference: bool) -> Iterator[nn.Module]:
    """Route a module's output, or what it adds to its input, through an identity module on a device."""
    probe, forward = nn.Identity(), module.forward

    def through_probe(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        state = first(output)
        before = entering(args, kwargs).to(state.device) if difference else 0
        probed = before + probe((state - before).to(device)).to(state.device)
        return (probed, *output[1:]) if isinstance(output, tuple) else probed

    with patched_forward(module, through_probe):
        yield probe


@contextmanager
def _input_probe(module: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    """Route what a matrix is given through an identity module on a device."""
    probe, forward = nn.Identity(), module.forward

    def through_probe(state: Tensor, *args: Any, **kwargs: Any) -> Any:
        return forward(probe(state.to(device)).to(state.device), *args, **kwargs)

    with patched_forward(module, through_probe):
        yield probe
