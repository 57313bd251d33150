"""Static neuron attribution: how much a single neuron raises the log-probability of a token.

A neuron writes one vector v to the residual stream x at the position before the token w. Its score is

    s(v) = log p(w | x + v) - log p(w | x),    p(. | x) = softmax(LM head(final norm(x)))

(Yu and Ananiadou, 2024), which Appendix B.2 calls "last-useful-token based". For an FFN neuron i, x is the stream
after attention and ``v = c_i * W_down[:, i]`` with the activation ``c_i = act(gate)_i * up_i``. For a value dimension d
of the attention, x is the stream that enters the layer and ``v = a_d * W_o[:, d]`` with the attention-weighted value
``a_d``. A layer's score is s of the whole sub-layer output. With grouped queries, G query heads read a value dimension,
each with its own column of W_o, and v is the sum of their contributions. The vectors of all neurons (and the output
bias, if there is one) thus add up exactly to the sub-layer's output, with and without groups.

The published code differs from this description in three ways: it normalises every vector by one fixed number instead
of its own norm, it counts only the contribution of the last key position to a value dimension, and it rounds scores to
four digits.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from semalign.methods.laten.gated import DOWN, KINDS, OUTPUT, grouping, weight
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.evaluating import evaluating, plain_torch
from semalign.models.finite import not_finite
from semalign.models.patching import entering
from semalign.models.precision import wide

LOGITS_AT_ONCE = 2**24  # upper limit on neurons x V in one chunk


class Scores(NamedTuple):
    """Scores of one kind of sub-layer, ``ffn`` or ``attention``: of whole sub-layers (L,) and of neurons (L, n)."""

    layers: Tensor
    neurons: Tensor


class LayerTrace(NamedTuple):
    """The states of one layer at the last position, each a vector.

    Attributes:
        entering: the residual stream that enters the layer, shape (D,).
        heads: attention-weighted values of all query heads, the input of W_o.
        attention: output of the attention, shape (D,).
        activations: activations of the FFN's neurons, the input of W_down.
        ffn: output of the FFN, shape (D,).
    """

    entering: Tensor
    heads: Tensor
    attention: Tensor
    activations: Tensor
    ffn: Tensor


def trace_last(architecture: Architecture, input_ids: Sequence[int]) -> list[LayerTrace]:
    """Run the model on one text and return the states of each layer at its last position."""
    seen: list[dict[str, Tensor]] = [{} for _ in architecture.layers]
    with ExitStack() as hooks:
        for layer, found in zip(architecture.layers, seen, strict=True):
            hooks.callback(layer.register_forward_pre_hook(_entering_hook(found), with_kwargs=True).remove)
            for path, names in ((OUTPUT, ("heads", "attention")), (DOWN, ("activations", "ffn"))):
                hooks.callback(layer.get_submodule(path).register_forward_hook(_linear_hook(found, *names)).remove)
        with evaluating(architecture.model):
            architecture.run(input_ids=torch.tensor([list(input_ids)], device=architecture.device))
    return [LayerTrace(**found) for found in seen]


def _entering_hook(found: dict[str, Tensor]) -> Any:
    def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        found["entering"] = wide(entering(args, kwargs)[0, -1])

    return hook


def _linear_hook(found: dict[str, Tensor], into: str, out: str) -> Any:
    def hook(module: nn.Module, args: tuple, output: Tensor) -> None:
        found[into], found[out] = wide(args[0][0, -1]), wide(output[0, -1])

    return hook


def neuron_vectors(architecture: Architecture, k: int, kind: str, trace: LayerTrace) -> Float[Tensor, "n d"]:
    """Return the vector that each neuron of a sub-layer of layer ``k`` writes to the residual stream."""
    if kind == "ffn":
        return trace.activations[:, None] * weight(architecture, k, DOWN).T
    columns = trace.heads[:, None] * weight(architecture, k, OUTPUT).T  # (columns of W_o, D)
    # (kv heads, queries, head_dim, D); the sum over query heads leaves one vector for each value dimension.
    return columns.unflatten(0, tuple(grouping(architecture))).sum(1).flatten(0, 1)


@torch.no_grad()
def log_probability_increase(
    architecture: Architecture, stream: Float[Tensor, " d"], vectors: Float[Tensor, "n d"], token: int
) -> Float[Tensor, " n"]:
    """Return ``log p(token | stream + v) - log p(token | stream)`` for each vector v, computed in chunks."""
    size = max(1, LOGITS_AT_ONCE // architecture.head_weight.shape[0])
    raised = [_log_probability(architecture, stream + part, token) for part in vectors.split(size)]
    return torch.cat(raised) - _log_probability(architecture, stream[None], token)


def _log_probability(architecture: Architecture, states: Float[Tensor, "n d"], token: int) -> Float[Tensor, " n"]:
    logits = architecture.logits(architecture.norm(states))  # in the precision of the states
    return logits[:, token] - logits.logsumexp(-1)


@plain_torch(gradients=False)
def attribute_neurons(architecture: Architecture, texts: Sequence[Sequence[int]]) -> dict[str, Scores]:
    """Return scores of all FFN and attention sub-layers and of all their neurons, averaged over texts.

    Of several processes, each scores its share of the texts.

    Args:
        architecture: a Llama-like model: see :func:`semalign.methods.laten.gated.check_gated`.
        texts: token ids of each text; the last id is the token whose log-probability is explained.
    """
    totals = [torch.zeros((), dtype=torch.float64)] * 4
    own = processes.share(texts)
    for ids in tqdm(own or texts[:1], desc="neuron attribution", leave=False, disable=processes.quiet()):
        traces = trace_last(architecture, ids[:-1])
        parts = [part for kind in KINDS for part in _score(architecture, kind, traces, ids[-1])]
        if not all(part.isfinite().all() for part in parts):
            raise not_finite("the neuron scores", architecture, partial(trace_last, architecture, ids[:-1]))
        # A process without texts runs one, whose scores count nothing, for their shapes.
        means = (part.double().cpu() * bool(own) / len(texts) for part in parts)
        totals = [total + mean for total, mean in zip(totals, means, strict=True)]
    processes.add_up(totals)
    return {"ffn": Scores(*totals[:2]), "attention": Scores(*totals[2:])}


def _score(architecture: Architecture, kind: str, traces: Sequence[LayerTrace], token: int) -> tuple[Tensor, Tensor]:
    layers, neurons = [], []
    for k, trace in enumerate(traces, start=1):
        stream, output = trace.entering, trace.attention
        if kind == "ffn":
            stream, output = stream + output, trace.ffn
        # The whole sub-layer comes first, then its neurons: (1 + n, D).
        vectors = torch.cat([output[None], neuron_vectors(architecture, k, kind, trace)])
        increase = log_probability_increase(architecture, stream, vectors, token)
        layers.append(increase[0])
        neurons.append(increase[1:])
    return torch.stack(layers), torch.stack(neurons)
