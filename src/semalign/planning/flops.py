"""Floating-point operations of forward and backward passes, as ``torch.utils.flop_counter`` counts them.

A matrix takes two operations for each parameter and token, and two more to take a gradient back through it. Frozen
matrices have no gradient of their own. Attention over n tokens takes ``4 n^2`` operations for each channel of a query
forward (scores, and the weighted values), and ``10 n^2`` backward, where scores are computed again.
"""

import math

from semalign.bases.gram import BLOCK
from semalign.planning.shapes import Shapes
from semalign.planning.texts import Texts

FORWARD, BACKWARD = 4, 10  # operations of attention for each channel and pair of tokens


def layers_forward(shapes: Shapes, texts: Texts, layers: int) -> int:
    """Return the operations of a forward pass of some layers over texts."""
    matrices = 2 * shapes.matrix_parameters * texts.tokens
    return layers * (matrices + FORWARD * shapes.query * texts.squares)


def layers_backward(shapes: Shapes, texts: Texts, layers: int) -> int:
    """Return the operations of taking a gradient back through some frozen layers."""
    matrices = 2 * shapes.matrix_parameters * texts.tokens
    return layers * (matrices + BACKWARD * shapes.query * texts.squares)


def not_reached(shapes: Shapes, texts: Texts) -> int:
    """Return the operations that the first trained layer leaves out: no gradient goes back to the states it gets."""
    return 2 * shapes.width * (shapes.query + 2 * shapes.kv_heads * shapes.head_width) * texts.tokens


def weight_gradients(parameters: int, tokens: int) -> int:
    """Return the operations of the gradients of trained matrices."""
    return 2 * parameters * tokens


def lora(parameters: int, tokens: int) -> int:
    """Return the operations of LoRA, forward and backward, with its own gradients."""
    return 6 * parameters * tokens


def head(shapes: Shapes, positions: int) -> int:
    """Return the operations of the logits of some positions."""
    return 2 * shapes.vocabulary * shapes.width * positions


def inverse(shapes: Shapes) -> int:
    """Return about the operations of a basis: Gram matrix in two precisions, factor, inverse, and vectors.

    Of a Gram matrix the blocks on and below the diagonal are multiplied (:func:`semalign.bases.gram.gram`). A head may
    need one precision only. The checks of the rounding, which read some rows, are left out.
    """
    blocks = 2 ** max(0, math.ceil(math.log2(shapes.width / BLOCK)))  # on the diagonal
    square = shapes.vocabulary * shapes.width**2
    return 2 * (square + square // blocks) + 2 * square + shapes.width**3


def alignment(teacher: Shapes, student: Shapes) -> int:
    """Return the operations of the map ``M = S_T S_S^T``."""
    return 2 * min(teacher.vocabulary, student.vocabulary) * teacher.width * student.width
