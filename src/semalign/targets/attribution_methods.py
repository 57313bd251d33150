"""Ways to attribute an objective F to the activations of layers: gradient x activation, integrated gradients, ablation.

Each way returns what every layer contributes, in parts whose sum is the layer's signed score.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from semalign.targets.attributed import scaled

NODES = 8  # of the Gauss-Legendre quadrature along the path of integrated gradients

Forward = Callable[[Tensor, Tensor, Tensor], Float[Tensor, " batch"]]
Contributions = list[Float[Tensor, "batch tokens units channels"]]


class Attributed(NamedTuple):
    """Some rows, and the objective and layers that they are attributed by.

    Attributes:
        forward: the objective F of each row, a function of the three tensors below.
        modules: for each layer a module whose output is the activation; see
            :func:`semalign.targets.attributed.activation_modules`.
        units: number of units of a layer that are scored, whose channels stand together.
        embeddings: of the rows' tokens.
        mask: 1 for tokens, 0 for padding.
        labels: the rows' labels.
    """

    forward: Forward
    modules: Sequence[nn.Module]
    units: int
    embeddings: Float[Tensor, "batch tokens d"]
    mask: Int[Tensor, "batch tokens"]
    labels: Int[Tensor, "batch tokens"]

    def objective(self) -> Float[Tensor, " batch"]:
        """Return F of each row, without gradients."""
        with torch.no_grad():
            return self.forward(self.embeddings, self.mask, self.labels)

    def products(self, modules: Sequence[nn.Module]) -> Contributions:
        """Return ``h dF/dh`` of some modules, by captum's ``LayerGradientXActivation``."""
        from captum.attr import LayerGradientXActivation  # which draws too, and so loads matplotlib

        attributor = LayerGradientXActivation(self.forward, list(modules))
        # Rows do not interact, so that summing F over the batch still gives each its own gradient.
        found = attributor.attribute(self.embeddings, additional_forward_args=(self.mask, self.labels))
        # Detached, since the scores of all batches would else keep the states and gradients of theirs.
        return [product.detach().unflatten(-1, (self.units, -1)) for product in found]


def gradient_x_activation(rows: Attributed) -> Contributions:
    """Return ``h dF/dh`` for each layer, the paper's choice (Section 4.1)."""
    return rows.products(rows.modules)


def integrated_gradients(rows: Attributed) -> Contributions:
    """Return ``h ∫ dF/dh (a h) da`` over a from 0 to 1 for each layer: integrated gradients from the zero activation.

    One layer at a time has its activation multiplied by a; the integral is a Gauss-Legendre sum of :data:`NODES`
    terms. Summed up, it is the change of F when the activation grows from zero to h, so that the signed score of a
    layer is that of :func:`semalign.targets.attribution_methods.ablation`, up to the error of the sum.
    """
    places, weights = np.polynomial.legendre.leggauss(NODES)  # on -1..1
    shares, weights = ((1 + places) / 2).tolist(), (weights / 2).tolist()

    def of(module: nn.Module) -> Float[Tensor, "batch tokens units channels"]:
        total = torch.zeros(())
        for share, weight in zip(shares, weights, strict=True):
            with scaled(module, [share] * rows.units):
                total = total + weight / share * rows.products([module])[0]  # h = (share h) / share
        return total

    return [of(module) for module in rows.modules]


def ablation(rows: Attributed) -> Contributions:
    """Return ``F(h) - F(h without a unit)``: how far the objective falls if a unit's activation is zero."""
    whole = rows.objective()

    def fall(module: nn.Module, unit: int) -> Float[Tensor, " batch"]:
        with scaled(module, [float(other != unit) for other in range(rows.units)]):
            return whole - rows.objective()

    falls = (torch.stack([fall(module, unit) for unit in range(rows.units)], -1) for module in rows.modules)
    return [each[:, None, :, None] for each in falls]


METHODS: dict[str, Callable[[Attributed], Contributions]] = {
    "gradient_x_activation": gradient_x_activation,
    "integrated_gradients": integrated_gradients,
    "ablation": ablation,
}
"""The values of the setting ``attribution_method``."""
