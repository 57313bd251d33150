"""Bytes on the device: weights, what a backward pass needs, logits, caches. T is the tokens of a padded batch.

Sizes are those of transformers' Llama with the attention kernels of PyTorch, which do not hold the scores; those of a
model with a soft cap on its attention, such as Gemma 2, are not counted. ``size`` is
the number of bytes of the model's type; norms, logits and everything that trains take at least four (:func:`wide`).
"""

from typing import NamedTuple

from semalign.bases.gram import CHUNK
from semalign.models.token_losses import LOGITS_AT_ONCE
from semalign.planning.shapes import Shapes
from semalign.planning.texts import Texts

DOUBLE = 8
ADAM = 2  # moments of each trained parameter


class Batch(NamedTuple):
    """A padded batch: its rows, the tokens of the longest, and all positions with a label."""

    rows: int
    width: int
    positions: int

    @property
    def tokens(self) -> int:
        """Tokens with padding."""
        return self.rows * self.width

    @classmethod
    def longest(cls, texts: Texts, rows: int) -> "Batch":
        """Return the batch that needs most memory: of the longest texts."""
        chosen = texts.longest(rows)
        return cls(len(chosen), int(chosen.whole.max()), chosen.positions)


def wide(size: int) -> int:
    """Return the bytes of a number that is summed or trained."""
    return max(size, 4)


def weights(shapes: Shapes, size: int, layers: int | None = None) -> int:
    """Return the weights of a model, or of some layers with embeddings, norm and head."""
    left_out = 0 if layers is None else shapes.layers - layers
    return size * (shapes.parameters - left_out * shapes.layer_parameters)


def forward(shapes: Shapes, batch: Batch, size: int) -> int:
    """Return what a forward pass without gradients holds at its peak, in an MLP or a norm."""
    d, f, q = shapes.width, shapes.mlp, shapes.query
    mlp = (2 * d + max(shapes.saved, 2 * f)) * size
    norm = 2 * d * size + 2 * d * wide(size)
    attention = (2 * d + 6 * q) * size
    return batch.tokens * max(mlp, norm, attention)


def held(shapes: Shapes, batch: Batch, size: int) -> int:
    """Return what one frozen layer keeps for the backward pass.

    Of each norm its input in float32; queries, keys, values and output of attention, with its log-sums; of the MLP what
    its activation function needs. Frozen matrices keep nothing.
    """
    norms = 2 * shapes.width * wide(size)
    attention = 4 * shapes.query * size + 4 * shapes.heads
    return batch.tokens * (norms + attention + shapes.saved * size)


def activations(shapes: Shapes, batch: Batch, size: int, layers: int, checkpointing: bool = False) -> int:
    """Return what some layers keep for the backward pass; with checkpointing the input of each, and all of one."""
    if not checkpointing:
        return layers * held(shapes, batch, size)
    return layers * batch.tokens * shapes.width * size + held(shapes, batch, size)


def lora_inputs(shapes: Shapes, batch: Batch, paths: tuple[str, ...]) -> int:
    """Return what LoRA on some matrices of a layer keeps: their inputs, in float32; shared inputs once."""
    inputs = {}
    for path in paths:
        block = path.split(".")[0]
        outputs_first = path.endswith(("o_proj", "down_proj"))
        inputs[block, outputs_first] = shapes.matrices[path][1]
    return 4 * batch.tokens * sum(inputs.values())


def of_heads(shapes: Shapes, batch: Batch, size: int) -> int:
    """Return what the interface ``heads`` holds of a layer: what each head adds and is given, and its targets."""
    head_inputs = shapes.heads * batch.tokens * shapes.query * size
    return head_inputs + shapes.heads * shapes.width * (batch.tokens * size + 2 * batch.positions * 4)


def backward(shapes: Shapes, batch: Batch, size: int) -> int:
    """Return what the backward pass of a layer holds besides: gradients of the MLP's parts and of the stream."""
    return batch.tokens * (max(shapes.saved, 2 * shapes.mlp) + 2 * shapes.width) * size


def logits(shapes: Shapes, positions: int, size: int, copies: int = 1) -> int:
    """Return states of some positions with their gradients, logits, and the head in float32 where it is not already.

    Logits are those of the positions that :func:`semalign.models.token_losses.by_parts` computes at once; their
    gradient is written over them. ``copies`` says how many matrices of that size there are.
    """
    head = shapes.vocabulary * shapes.width * 4 if size < 4 else 0
    at_once = min(positions, max(1, LOGITS_AT_ONCE // shapes.vocabulary))
    return (at_once * copies * shapes.vocabulary + positions * 2 * shapes.width) * 4 + head


def cosine(shapes: Shapes, positions: int) -> int:
    """Return the output cosine without logits: the Gram matrix of the head, and some copies of the final states."""
    return shapes.width**2 * 4 + positions * shapes.width * 4 * 6


def trained(parameters: int) -> int:
    """Return trained parameters in float32 with gradients and the moments of AdamW."""
    return parameters * 4 * (2 + ADAM)


def inverted(shapes: Shapes) -> int:
    """Return what stays of an inverted head: the inverse in float64 and float32, and the Gram matrix in float64."""
    return shapes.width**2 * (2 * DOUBLE + 4)


def inversion(shapes: Shapes) -> int:
    """Return the peak of inverting a head: four D x D matrices and two chunks in float64."""
    return 4 * shapes.width**2 * DOUBLE + 2 * min(CHUNK, shapes.vocabulary) * shapes.width * DOUBLE


def basis(shapes: Shapes, size: int) -> int:
    """Return the peak of a basis: the vectors, three D x D matrices and two chunks in float64; the head is a weight."""
    square = 3 * shapes.width**2 * DOUBLE
    return shapes.vocabulary * shapes.width * 4 + square + 2 * min(CHUNK, shapes.vocabulary) * shapes.width * DOUBLE


def cache(shapes: Shapes, rows: int, prompt: int, answer: int, size: int) -> int:
    """Return the keys and values of a generation; buffers begin with room for two prompts and double when full."""
    room = 2 * prompt
    while room < prompt + answer:
        room *= 2
    token = 2 * shapes.layers * shapes.kv_heads * shapes.head_width * size
    return rows * room * token
