"""Vectors in the stream: the sum of two products with the head against each vector added and read literally."""

import copy

import pytest
import torch
from helpers.models import make_llama

from semalign.methods.laten.readout import Readout
from semalign.models.architecture import Architecture

V, D = 60, 16


def literal(architecture, stream, vectors, token):
    """Read the stream and its sum with each vector one after the other."""
    readout = Readout(architecture)
    before, *after = (readout.log_probabilities(h[None], torch.tensor([token])) for h in (stream, *(stream + vectors)))
    return torch.cat(after) - before


class Layer(torch.nn.LayerNorm):
    """A LayerNorm with gain and bias, in float64."""

    def __init__(self):
        super().__init__(D, dtype=torch.float64)
        torch.nn.init.normal_(self.weight)
        torch.nn.init.normal_(self.bias)


def with_head_bias(model):
    model.lm_head.bias = torch.nn.Parameter(torch.randn(V, dtype=torch.float64))


HEADS = {
    "plain": lambda model: None,
    "LayerNorm": lambda model: setattr(model.model, "norm", Layer()),
    "bias": with_head_bias,
}
NUMBERS = {"plain": {}, "soft cap": {"softcap": 0.5}, "logit scale": {"logit_scale": 3.0}}


@pytest.mark.parametrize("change", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS.keys())
@torch.no_grad()
def test_increases_are_those_of_each_sum_read_by_the_model(change, numbers):
    model = make_llama(V, D, 1, seed=3)
    change(model)
    architecture = Architecture(model)
    vars(architecture).update(numbers)  # of the configurations of other architectures
    generator = torch.Generator().manual_seed(1)
    streams, columns, factors = (
        torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((2, D), (5, 3, D), (2, 5, 3))
    )
    tokens = torch.tensor([7, 41])
    found = Readout(architecture).increases(streams, tokens, columns, factors)
    for text in range(2):
        before = architecture.logits(architecture.norm(streams[text])).log_softmax(-1)[tokens[text]]
        for i in range(5):
            vector = sum(factors[text, i, g] * columns[i, g] for g in range(3))
            after = architecture.logits(architecture.norm(streams[text] + vector)).log_softmax(-1)[tokens[text]]
            assert float(found[text, i]) == pytest.approx(float(after - before), rel=1e-9, abs=1e-11)
        vectors = (factors[text][..., None] * columns).sum(1)
        one_by_one = literal(architecture, streams[text], vectors, int(tokens[text]))
        torch.testing.assert_close(found[text], one_by_one, rtol=1e-9, atol=1e-11)


def test_half_precision_is_read_in_float32():
    model = make_llama(V, D, 1, seed=3).bfloat16()
    stream, vectors = torch.randn(D), 1e-4 * torch.randn(5, D)  # logits in bfloat16 would lose these
    found = literal(Architecture(model), stream, vectors, 3)
    assert found.dtype == torch.float32
    wide = Architecture(copy.deepcopy(model).float())
    torch.testing.assert_close(found, literal(wide, stream, vectors, 3))
    shared = Readout(Architecture(model)).increases(
        stream[None], torch.tensor([3]), vectors[:, None], torch.ones(1, 5, 1)
    )
    torch.testing.assert_close(shared[0], found, rtol=1e-3, atol=2e-6)
