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
from semalign.methods.laten.readout import Readout
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.evaluating import evaluating, plain_torch
from semalign.models.finite import not_finite
from semalign.models.patching import entering
from semalign.models.precision import wide
from semalign.models.wide_passes import wide_passes


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
    """Run the model on one text and return the states of each layer at its last position, computed in float32.

    Neurons are ranked by small differences, which the rounding of passes in half precision would reorder.
    """
    seen: list[dict[str, Tensor]] = [{} for _ in architecture.layers]
    with ExitStack() as hooks:
        for layer, found in zip(architecture.layers, seen, strict=True):
            hooks.callback(layer.register_forward_pre_hook(_entering_hook(found), with_kwargs=True).remove)
            for path, names in ((OUTPUT, ("heads", "attention")), (DOWN, ("activations", "ffn"))):
                hooks.callback(layer.get_submodule(path).register_forward_hook(_linear_hook(found, *names)).remove)
        with evaluating(architecture.model), wide_passes(architecture):
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


def columns(architecture: Architecture, k: int, kind: str) -> Float[Tensor, "n group d"]:
    """Return the columns of W_down or W_o through which each neuron of layer ``k`` writes to the residual stream."""
    if kind == "ffn":
        return weight(architecture, k, DOWN).T[:, None]
    # (kv heads, queries, head_dim, D); a value dimension has a column for each query head of its group.
    return weight(architecture, k, OUTPUT).T.unflatten(0, tuple(grouping(architecture))).transpose(1, 2).flatten(0, 1)


def factors(architecture: Architecture, kind: str, trace: LayerTrace) -> Float[Tensor, "n group"]:
    """Return what each neuron multiplies its columns with on one text: activations, or attention-weighted values."""
    if kind == "ffn":
        return trace.activations[:, None]
    return trace.heads.unflatten(0, tuple(grouping(architecture))).transpose(1, 2).flatten(0, 1)


def neuron_vectors(architecture: Architecture, k: int, kind: str, trace: LayerTrace) -> Float[Tensor, "n d"]:
    """Return the vector that each neuron of a sub-layer of layer ``k`` writes to the residual stream."""
    return (factors(architecture, kind, trace)[..., None] * columns(architecture, k, kind)).sum(1)


@plain_torch(gradients=False)
def attribute_neurons(architecture: Architecture, texts: Sequence[Sequence[int]]) -> dict[str, Scores]:
    """Return scores of all FFN and attention sub-layers and of all their neurons, averaged over texts.

    Of several processes, each scores its share of the texts.

    Args:
        architecture: a Llama-like model: see :func:`semalign.methods.laten.gated.check_gated`.
        texts: token ids of each text; the last id is the token whose log-probability is explained.
    """
    own = processes.share(texts)
    # A process without texts runs one, whose scores count nothing, for their shapes.
    scored = own or texts[:1]
    traces = [trace_last(architecture, ids[:-1]) for ids in scored]
    tokens, readout = [ids[-1] for ids in scored], Readout(architecture)
    totals = []
    for kind in KINDS:
        layers = tqdm(range(1, architecture.n_layers + 1), f"{kind} scores", leave=False, disable=processes.quiet())
        found = [_score(readout, k, kind, [trace[k - 1] for trace in traces], tokens) for k in layers]
        for part in map(torch.stack, zip(*found, strict=True)):  # (L, texts), then (L, texts, n)
            _check(part, architecture, scored)
            totals.append(part.double().sum(1).cpu() * bool(own) / len(texts))
    processes.add_up(totals)
    return {"ffn": Scores(*totals[:2]), "attention": Scores(*totals[2:])}


def _score(
    readout: Readout, k: int, kind: str, traces: Sequence[LayerTrace], tokens: Sequence[int]
) -> tuple[Float[Tensor, " texts"], Float[Tensor, "texts n"]]:
    """Return the scores of a whole sub-layer and of its neurons on each text."""
    after = kind == "ffn"
    streams = torch.stack([trace.entering + trace.attention if after else trace.entering for trace in traces])
    outputs = torch.stack([trace.ffn if after else trace.attention for trace in traces])
    wanted = torch.tensor(tokens, device=streams.device)
    whole = readout.log_probabilities(streams + outputs, wanted) - readout.log_probabilities(streams, wanted)
    multiplied = torch.stack([factors(readout.architecture, kind, trace) for trace in traces])
    return whole, readout.increases(streams, wanted, columns(readout.architecture, k, kind), multiplied)


def _check(
    scores: Float[Tensor, "layers texts *n"], architecture: Architecture, texts: Sequence[Sequence[int]]
) -> None:
    """Raise the error that says where numbers stop being finite, if a text has a score that is not."""
    for text, found in enumerate(scores.unbind(1)):
        if not found.isfinite().all():
            raise not_finite("the neuron scores", architecture, partial(trace_last, architecture, texts[text][:-1]))
