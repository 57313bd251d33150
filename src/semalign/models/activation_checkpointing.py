"""Activation checkpointing (Chen et al. 2016): a layer keeps only its input, and computes the rest again when needed.

A backward pass needs the activations of every layer. With this, one layer at a time has them, for one more forward
pass. Results and gradients are the same, bit for bit: dropout draws the same numbers again.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from torch.utils.checkpoint import checkpoint

from semalign.models.architecture import Architecture
from semalign.models.patching import patched_forward


@contextmanager
def checkpointed(architecture: Architecture, first_layer: int = 1) -> Iterator[None]:
    """Let layers ``first_layer..L`` keep no activations while the block runs; the backward pass may come after it.

    What is inside a layer must compute the same then: hooks may only look at states, and patches must have the same
    effect. Hooks and patches of whole decoder layers are outside, if the patches are made inside the block.
    """
    with ExitStack() as patches:
        for k in range(architecture.check_layer(first_layer), architecture.n_layers + 1):
            layer = architecture.layer(k)
            patches.enter_context(patched_forward(layer, partial(checkpoint, layer.forward, use_reentrant=False)))
        yield
