"""Injection of blocks of a teacher into a student through LoRA (Appendix B.1), and back to LoRA on the student."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from jaxtyping import Float
from peft import PeftModel
from peft.tuners.lora import Linear
from torch import Tensor, nn
from transformers import PreTrainedModel

from semalign.training.lora import Factors, plain_lora

Injection = Literal["code", "appendix"]


def truncated_svd(matrix: Float[Tensor, "n m"], rank: int) -> Factors:
    """Return ``B = U_r Σ_r`` and ``A = V_rᵀ``, the best approximation of a matrix with that rank.

    Above the matrix' own rank it is exact; what is left of the factors is zero, and stays zero in training.
    """
    wide = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
    u, sigma, vt = torch.linalg.svd(wide, full_matrices=False)
    missing = max(0, rank - len(sigma))
    left, right = (u * sigma)[:, :rank], vt[:rank]
    return Factors(nn.functional.pad(left, (0, missing)), nn.functional.pad(right, (0, 0, 0, missing)))


def exact_factors(matrix: Float[Tensor, "n m"]) -> Factors:
    """Return a matrix as itself times an identity, on the shorter side."""
    n, m = matrix.shape
    identity = torch.eye(min(n, m), dtype=matrix.dtype, device=matrix.device)
    return Factors(matrix, identity) if m <= n else Factors(identity, matrix)


@torch.no_grad()
def inject(
    adapted: PeftModel, blocks: Iterable[tuple[str, Float[Tensor, "n m"]]], injection: Injection
) -> dict[str, Factors]:
    r"""Start each LoRA of an adapted student at a block, and take something off the weight W under it.

    ``code``: W - BA + BA, which starts at the unmodified student. ``appendix``: W - W_extract + BA, W_extract the
    whole block. The LoRA scale s is part of BA: s · B A is the truncated SVD of the block, whatever s.

    Args:
        adapted: a student with LoRA on every matrix that is named; the weights it shares with others are not changed.
        blocks: names of matrices and the blocks for them, (outputs, inputs); read one at a time.
        injection: the form.

    Returns:
        What was taken off each weight, as factors with the scale s left out.
    """
    removed = {}
    for name, block in blocks:
        lora = _lora(adapted, name)
        a, b, scale = *_adapter(lora), lora.scaling["default"]
        start = truncated_svd(block, b.shape[1])
        b.copy_(start.left / scale)
        a.copy_(start.right)
        removed[name] = Factors(b.clone(), a.clone()) if injection == "code" else exact_factors(block.to(b) / scale)
        base: nn.Module = lora.get_base_layer()
        off = scale * removed[name].left @ removed[name].right
        off = off.T if lora.fan_in_fan_out else off
        base.weight = nn.Parameter((base.weight - off).to(base.weight.dtype), requires_grad=False)
    return removed


def as_plain_lora(student: PreTrainedModel, adapted: PeftModel, removed: Mapping[str, Factors]) -> PeftModel:
    """Return the same model as LoRA on the unmodified student, which PEFT saves and loads as any other.

    ``W - s·C D + s·B A = W + s·[B, -C] [A; D]``: the ranks add up. For the ``code`` form that is twice the rank; for
    ``appendix``, where what was taken off has full rank, an adapter as large as the matrices, or larger.

    Args:
        student: the unmodified student; its weights are shared.
        adapted: the student as :func:`inject` changed it, and then trained.
        removed: what :func:`inject` returned.
    """
    changes = {}
    for name, away in removed.items():
        lora = _lora(adapted, name)
        (a, b), scale = _adapter(lora), lora.scaling["default"]
        changes[name] = Factors(scale * b.detach(), a.detach()).plus(Factors(-scale * away.left, away.right))
    return plain_lora(student, changes)


def _lora(model: PeftModel, name: str) -> Linear:
    return model.get_base_model().get_submodule(name)  # type: ignore[return-value]


def _adapter(lora: Linear) -> tuple[Tensor, Tensor]:
    return lora.lora_A["default"].weight, lora.lora_B["default"].weight  # type: ignore[return-value]
