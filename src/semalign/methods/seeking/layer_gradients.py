"""Sensitivities of the weights of one layer after the other, on several examples.

Plain backward passes give the gradients of all layers for one example. Here the forward passes of several examples,
each by itself, keep their graphs. The backward passes then go down together: layer L on all examples, layer L - 1 on
all examples, and so on. As the weight θ is the same for all, ``sum |θ · ∂L/∂θ| = |θ| · sum |∂L/∂θ|``: what follows the
gradients is computed once for all examples, and only one layer has gradients at any time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from semalign.data.rows import Example
from semalign.models.architecture import Architecture
from semalign.models.patching import entering, first
from semalign.models.precision import wide
from semalign.training.finetuning import summed_nll


@dataclass
class Pass:
    """The forward pass of one example, and how far its backward pass has come.

    Attributes:
        states: the states that enter layers 1 to L and leave the last one, each with its graph; those above the layer
            that the backward pass has come to are gone.
        slope: gradient of the loss with respect to the last of these states.
    """

    states: list[Tensor]
    slope: Tensor

    def back(self, parameters: Sequence[Tensor]) -> list[Tensor | None]:
        """Go down one layer; return the gradients of its parameters, None for one that the example has not used."""
        output, below = self.states.pop(), self.states[-1:]
        inputs = [*parameters, *(state for state in below if state.requires_grad)]
        found = torch.autograd.grad(output, inputs, self.slope, allow_unused=True)
        if len(found) > len(parameters):
            self.slope = found[-1]
        return list(found[: len(parameters)])


def forward_passes(model: Architecture, examples: Sequence[Example]) -> list[Pass]:
    """Run a model on examples, each by itself; the parameters of all layers need gradients from then on.

    The loss of an example is the mean cross-entropy of its response.
    """
    for layer in model.layers:
        layer.requires_grad_(True)
    return [_forward(model, example) for example in examples]


def _forward(model: Architecture, example: Example) -> Pass:
    states: list[Tensor] = []

    def enters(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        states.append(entering(args, kwargs))

    def leaves(module: nn.Module, args: tuple, output: Any) -> None:
        states.append(first(output))

    hooks = [layer.register_forward_pre_hook(enters, with_kwargs=True) for layer in model.layers]
    hooks.append(model.layers[-1].register_forward_hook(leaves))
    try:
        loss = summed_nll(model, [example]) / len(example.positions())
    finally:
        for hook in hooks:
            hook.remove()
    return Pass(states, *torch.autograd.grad(loss, states[-1:]))  # which frees the logits


def layer_sensitivities(
    model: Architecture, k: int, passes: Sequence[Pass]
) -> Iterator[tuple[str, Float[Tensor, "*shape"]]]:
    """Take the passes down through layer ``k``; yield the sensitivity of each of its parameters, in float64.

    A matrix is named by the path of its module and has the shape (outputs, inputs); other parameters have no name.
    """
    parameters = dict(model.layer(k).named_parameters())
    sums = {name: torch.zeros_like(wide(parameter.detach())) for name, parameter in parameters.items()}
    for each in passes:
        for total, gradient in zip(sums.values(), each.back(list(parameters.values())), strict=True):
            if gradient is not None:
                total += gradient.abs()
    for name, parameter in parameters.items():
        owner, _, kind = name.rpartition(".")
        sensitivity = sums.pop(name).double().mul_(parameter.detach().abs())
        transposed = isinstance(model.layer(k).get_submodule(owner), Conv1D) and kind == "weight"
        yield owner if kind == "weight" else "", sensitivity.T if transposed else sensitivity


def matrix(module: nn.Module) -> Float[Tensor, "rows columns"]:
    """Return a linear module's weight as (outputs, inputs); a Conv1D stores the transpose."""
    weight: Tensor = module.weight.detach()  # type: ignore[operator]
    return weight.T if isinstance(module, Conv1D) else weight
