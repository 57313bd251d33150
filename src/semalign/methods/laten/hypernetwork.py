"""The hypernetwork of LaTen, which maps weights of teacher neurons to changes of student neurons, and its training.

    min over phi of  L_LM(y; student(x; theta_S + g_phi(W_T))) + 1000 * sum over m of mean(g_phi(W_T)_m ** 2)

for m in up, down, v, o (Appendix B.2; the penalty comes from the published code). The student's weights theta_S are
frozen, and the language modelling loss is averaged over response tokens.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import skip_init
from tqdm import tqdm

from semalign.data.rows import Example
from semalign.methods.laten.injection import MATRICES, Located, injected
from semalign.methods.laten.settings import LatenSettings
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.evaluating import evaluating
from semalign.training.checks import check_loss
from semalign.training.finetuning import summed_nll

WARMUP_SHARE, FIRST_RATE = 0.1, 1 / 25  # of the one-cycle schedule, which also ends at FIRST_RATE


class Hypernetwork(nn.Module):
    """One two-layer MLP for each of up, down, v and o, shared over layers: Linear(D_T, D_T), ReLU, Linear(D_T, D_S).

    Args:
        d_teacher: width of the teacher, D_T.
        d_student: width of the student, D_S.
        settings: standard deviation and seed of the initial weights.
    """

    def __init__(self, d_teacher: int, d_student: int, settings: LatenSettings) -> None:
        super().__init__()
        self.maps = nn.ModuleDict(
            {
                name: nn.Sequential(
                    skip_init(nn.Linear, d_teacher, d_teacher, bias=False),
                    nn.ReLU(),
                    skip_init(nn.Linear, d_teacher, d_student, bias=False),
                )
                for name in MATRICES
            }
        )
        generator = torch.Generator().manual_seed(settings.seed)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=settings.initial_std, generator=generator)

    def forward(self, vectors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return changes of shape (layers, n, D_S) for teacher weights of shape (layers, n, D_T)."""
        return {name: self.maps[name](vectors[name]) for name in MATRICES}


class _ResponseLoss(nn.Module):
    """The summed loss of response tokens as a module, because ``functional_call`` replaces the weights of a module."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture, self.model = architecture, architecture.model

    def forward(self, examples: Sequence[Example]) -> Float[Tensor, ""]:
        return summed_nll(self.architecture, examples)


class Alignment:
    """Training of a hypernetwork on alignment examples; the student is not changed.

    Args:
        hypernetwork: the hypernetwork to train.
        vectors: weights of teacher neurons from :func:`semalign.methods.laten.injection.teacher_vectors`.
        student: the frozen student.
        located: the student's neurons that change.
        examples: the alignment examples.
        settings: steps, batch size, learning rate and so on.
    """

    def __init__(
        self,
        hypernetwork: Hypernetwork,
        vectors: Mapping[str, Tensor],
        student: Architecture,
        located: Mapping[str, Located],
        examples: Sequence[Example],
        settings: LatenSettings,
    ) -> None:
        self.hypernetwork, self.vectors, self.student, self.located = hypernetwork, vectors, student, located
        self.examples, self.settings = examples, settings
        self.steps = settings.steps or -(-len(examples) // settings.batch_size)
        most = settings.micro_batch_size or settings.batch_size
        self.parts = FittingParts(student, most, kept_layers=student.n_layers, logits=True)

    def run(self) -> list[dict[str, float]]:
        """Train; return the two terms of the loss at every step."""
        chosen, losses = self.settings, []
        optimizer = torch.optim.AdamW(
            self.hypernetwork.parameters(), chosen.learning_rate, betas=(0.9, 0.95), weight_decay=chosen.weight_decay
        )
        processes.equalise(self.hypernetwork.parameters())
        cycle, order = max(self.steps, chosen.extract_size), self._order()
        for step in tqdm(range(self.steps), desc="hypernetwork", leave=False, disable=processes.quiet()):
            optimizer.param_groups[0]["lr"] = chosen.learning_rate * one_cycle(step, cycle)
            optimizer.zero_grad(set_to_none=True)
            gradients = partial(self.gradients, [self.examples[next(order)] for _ in range(chosen.batch_size)])
            with evaluating(self.student.model, gradients=True):
                losses.append(gradients())
            check_loss(losses[-1], step + 1, self.student, gradients)
            optimizer.step()
        return losses

    def gradients(self, examples: Sequence[Example]) -> dict[str, float]:
        """Accumulate the gradient of the loss on some examples in the hypernetwork; return both terms of the loss.

        Of several processes, each differentiates the loss of its share of the examples.
        """
        deltas = list(self.hypernetwork(self.vectors).values())  # each (layers, n, D_S)
        # The parts differentiate with respect to detached copies of the changes. Their summed gradients then pass
        # through the hypernetwork once, which keeps its graph and frees that of each part.
        leaves = [delta.detach().requires_grad_() for delta in deltas]
        slopes, total = [torch.zeros_like(leaf) for leaf in leaves], 0.0
        labelled = sum(len(example.positions()) for example in examples)
        own = processes.share(examples)
        compute = partial(self._slopes, leaves, labelled)
        for loss, found in self.parts.results(compute, own, list(map(len, own))):
            slopes, total = [s + g for s, g in zip(slopes, found, strict=True)], total + loss
        processes.add_up(slopes)
        total = processes.sums({"lm": total})["lm"]
        penalty = self.settings.penalty_weight * torch.stack([delta.square().mean() for delta in deltas]).sum()
        torch.autograd.backward([*deltas, penalty], [*slopes, torch.ones_like(penalty)])
        return {"lm": total, "penalty": penalty.item()}

    def _slopes(
        self, leaves: Sequence[Tensor], labelled: int, part: Sequence[Example]
    ) -> tuple[float, Sequence[Tensor]]:
        """Return a part's share of the loss, and its gradient with respect to the changes."""
        weights = injected(self.student, self.located, dict(zip(MATRICES, leaves, strict=True)))
        own = {f"model.{name}": tensor for name, tensor in weights.items()}
        loss = functional_call(_ResponseLoss(self.student), own, (part,)) / labelled
        # Not backward(), which would also leave gradients in the student.
        return loss.item(), torch.autograd.grad(loss, leaves)

    def _order(self) -> Iterator[int]:
        """Yield indices of examples endlessly: all of them in a seeded order, then in another order, and so on."""
        generator = torch.Generator().manual_seed(self.settings.seed)
        while True:
            yield from torch.randperm(len(self.examples), generator=generator).tolist()


def one_cycle(step: int, cycle: int) -> float:
    """Return the factor on the peak learning rate at a step, from 0: a cosine up from 1/25, then one back down."""
    peak = max(WARMUP_SHARE * cycle - 1, 0.0)
    # 0 at the peak and 1 at either end of the cycle.
    along = 1 - step / peak if step < peak else (step - peak) / max(cycle - 1 - peak, 1.0)
    return FIRST_RATE + (1 - FIRST_RATE) * (1 + math.cos(math.pi * along)) / 2
