"""LaTen's neuron scores against the peer's form: one text's vectors, chunk by chunk, through norm and head."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.race import Race, step
from bench.small import llama
from semalign.methods.laten.gated import KINDS
from semalign.methods.laten.neurons import Scores, attribute_neurons, neuron_vectors, trace_last
from semalign.models.architecture import Architecture

CHUNK = 256  # neurons at once


@torch.no_grad()
def one_text_at_a_time(model: Architecture, texts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """Return the scores of all neurons, averaged over texts: every vector is added and every sum read by the head."""
    found = {kind: [] for kind in KINDS}
    for ids in texts:
        for kind in KINDS:
            found[kind].append([])
        for k, trace in enumerate(trace_last(model, ids[:-1]), start=1):
            for kind in KINDS:
                stream = trace.entering + trace.attention if kind == "ffn" else trace.entering
                before = log_probabilities(model, stream[None], ids[-1])
                parts = neuron_vectors(model, k, kind, trace).split(CHUNK)
                raised = torch.cat([log_probabilities(model, stream + part, ids[-1]) for part in parts])
                found[kind][-1].append(raised - before)
    return {kind: torch.stack([torch.stack(each) for each in texts]).mean(0) for kind, texts in found.items()}


def log_probabilities(model: Architecture, states: Tensor, token: int) -> Tensor:
    """Return the log-probability of a token after each state."""
    return model.lm_head(model.norm(states)).log_softmax(-1)[:, token]


def furthest(ours: dict[str, Scores], peer: dict[str, Tensor]) -> float:
    """Return the largest difference of a score, relative to the largest score."""
    return max(float((ours[kind].neurons - peer[kind].cpu()).abs().max() / peer[kind].abs().max()) for kind in KINDS)


@step(
    title="LaTen's neuron scores",
    peer="a loop over texts and chunks of neurons",
    reach=5.0,
    sizes=[
        {"texts": 5, "vocabulary": 8_000, "width": 256},
        {"texts": 20, "vocabulary": 8_000, "width": 256},
        {"texts": 20, "vocabulary": 16_000, "width": 768},
    ],
    rounds=(2, 2, 2),
)
def laten_scores(texts: int, vocabulary: int, width: int) -> Race:
    """Scores of all neurons of a grouped-query model, on the last token of some texts."""
    model = Architecture(llama(vocabulary, width, layers=1, inner=width))
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (texts, 64), generator=generator, device="cpu").tolist()
    neurons = model.n_layers * (model.model.config.intermediate_size + width // 4)
    return Race(
        ours=lambda: attribute_neurons(model, ids),
        peer=lambda: one_text_at_a_time(model, ids),
        difference=furthest,
        flops=2 * neurons * vocabulary * width,
    )
