"""Output terms, forward and backward: from states of some positions to their gradient."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, kl_div, one_hot
from transformers import LlamaConfig, LlamaForCausalLM

from bench.race import Race, step
from semalign.models.architecture import Architecture
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead
from semalign.training.output_terms import OUTPUT_TERMS

Loss = Callable[[Tensor, Batch], Tensor]
SIZES = [
    {"vocabulary": 8_000, "width": 512, "positions": 256},
    {"vocabulary": 32_000, "width": 1_024, "positions": 512},
]
LARGEST = {"vocabulary": 32_000, "width": 4_096, "positions": 256}
MANY = {"vocabulary": 32_000, "width": 1_024, "positions": 2_048}
ALL = [*SIZES, LARGEST, MANY]
SAYS = "The head is frozen. The logits of some positions are in memory at a time; states and gradients of all."


def head(vocabulary: int, width: int) -> Architecture:
    """Return a model of one small layer with a random head, which nothing trains."""
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    return Architecture(LlamaForCausalLM(config).requires_grad_(False).eval())


def race(name: str, literal: Callable[[Tensor, Tensor, Batch], Tensor], vocabulary: int, width: int, n: int) -> Race:
    """Return the race of an output term against a loss that is computed from the logits of all positions."""
    model, ids = head(vocabulary, width), torch.arange(vocabulary)
    states, teacher = torch.randn(2, n, width)
    batch = Batch(None, None, None, torch.randint(vocabulary, (n,)), None, {}, teacher)  # type: ignore[arg-type]
    term = OUTPUT_TERMS[name](model, TransferSettings(), TeacherHead(model, ids, ids))

    def gradient(loss: Loss) -> Tensor:
        leaf = states.clone().requires_grad_()
        return torch.autograd.grad(loss(leaf, batch).sum(), leaf)[0]

    weight = model.head_weight
    return Race(
        ours=lambda: gradient(term),
        peer=lambda: gradient(lambda h, batch: literal(h, weight, batch)),
        difference=lambda ours, peer: ((ours - peer).norm() / peer.norm()).item(),
        flops=(6 if term.needs_teacher else 4) * n * vocabulary * width if name != "cosine" else None,
    )


@step(title="Output cosine", peer="logits, then cosine", reach=7.9, sizes=[*SIZES, LARGEST], rounds=(5, 3, 2))
def output_cosine(vocabulary: int, width: int, positions: int) -> Race:
    def literal(h: Tensor, weight: Tensor, batch: Batch) -> Tensor:
        z = h @ weight.T
        return 1 - cosine_similarity(z, one_hot(batch.labels, len(weight)).to(z.dtype), dim=-1)

    return race("cosine", literal, vocabulary, width, positions)


@step(title="Cross-entropy", peer="logits, then `cross_entropy`", reach=1.0, sizes=ALL,
      rounds=(3, 2, 1, 2), says=SAYS)  # fmt: skip
def output_cross_entropy(vocabulary: int, width: int, positions: int) -> Race:
    def literal(h: Tensor, weight: Tensor, batch: Batch) -> Tensor:
        return cross_entropy(h @ weight.T, batch.labels, reduction="none")

    return race("cross_entropy", literal, vocabulary, width, positions)


@step(title="KL from the teacher", peer="logits of both, then `kl_div`", reach=1.0, sizes=ALL,
      rounds=(3, 2, 1, 2), says=SAYS)  # fmt: skip
def output_kl(vocabulary: int, width: int, positions: int) -> Race:
    def literal(h: Tensor, weight: Tensor, batch: Batch) -> Tensor:
        target = (batch.teacher_final @ weight.T).log_softmax(-1)
        return kl_div((h @ weight.T).log_softmax(-1), target, reduction="none", log_target=True).sum(-1)

    return race("kl", literal, vocabulary, width, positions)
