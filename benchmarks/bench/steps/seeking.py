"""Seeking's sensitivities against the peer's form: whole backward passes, elementwise sums of all layers."""

from collections.abc import Sequence

import torch
from torch import nn

from bench.race import Race, step
from bench.small import llama, texts
from semalign.data.rows import Example
from semalign.methods.seeking.sensitivity import Extraction, extract
from semalign.models.architecture import Architecture

VOCABULARY = 2_000


def whole_passes(teacher: Architecture, student: Architecture, examples: Sequence[Example]) -> Extraction:
    """Return the extraction from elementwise sensitivities of all layers, which are all in memory."""
    parameters = {name: p.requires_grad_(True) for name, p in teacher.layers.named_parameters()}
    sums = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for example in examples:
        ids = torch.tensor([example.input_ids], device=teacher.device)
        at = list(example.positions())
        logits = teacher.logits(teacher.run(input_ids=ids)[0, at])
        nn.functional.cross_entropy(logits, ids[0, [i + 1 for i in at]]).backward()
        for name, parameter in parameters.items():
            sums[name] += (parameter.detach() * parameter.grad).abs()
            parameter.grad = None
    scores = [0.0] * teacher.n_layers
    for name, total in sums.items():
        scores[int(name.split(".")[0])] += total.sum(dtype=torch.float64).item()
    layers = sorted(sorted(range(1, len(scores) + 1), key=lambda k: -scores[k - 1])[: student.n_layers])
    for k in layers:
        for path in teacher.layout.matrices:
            small = student.layer(1).get_submodule(path).weight
            best_corner(sums[f"{k - 1}.{path}.weight"], small.shape)
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    return Extraction(scores, layers, [])


def best_corner(sensitivity: torch.Tensor, shape: torch.Size) -> int:
    """Return the number of the window with the largest sum, from a summed-area table."""
    (n, m), (rows, columns) = shape, sensitivity.shape
    table = nn.functional.pad(sensitivity.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    tops, lefts = rows - n + 1, columns - m + 1
    return int((table[n:, m:] - table[:tops, m:] - table[n:, :lefts] + table[:tops, :lefts]).argmax())


@step(
    title="Seeking's sensitivities",
    peer="whole backward passes, all elementwise sums in memory",
    reach=1.0,
    sizes=[{"examples": 8, "width": 256}, {"examples": 16, "width": 256}, {"examples": 16, "width": 512}],
    rounds=(2, 2, 2),
    growth={"examples": 1.0},
)
def seeking(examples: int, width: int) -> Race:
    """Layers and blocks of a teacher of four layers for a student of two, three quarters as wide."""
    teacher = Architecture(llama(VOCABULARY, width, layers=4))
    student = Architecture(llama(VOCABULARY, width * 3 // 4, layers=2, seed=1))
    rows = texts(examples, VOCABULARY)
    weights = sum(p.numel() for p in teacher.layers.parameters())
    return Race(
        ours=lambda: extract(teacher, student, rows),
        peer=lambda: whole_passes(teacher, student, rows),
        difference=lambda ours, peer: max(
            abs(a - b) / b for a, b in zip(ours.layer_scores, peer.layer_scores, strict=True)
        ),
        flops=6 * weights * sum(map(len, rows)),
    )
