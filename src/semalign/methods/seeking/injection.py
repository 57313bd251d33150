"""Injection of teacher blocks into a student through LoRA (Appendix B.1), and conversion back to plain LoRA."""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from peft import PeftModel
from peft.tuners.lora import Linear
from torch import Tensor, nn
from transformers import PreTrainedModel

from semalign.methods.seeking.settings import Injection
from semalign.models.precision import wide
from semalign.training.lora import Factors, plain_lora


def truncated_svd(matrix: Float[Tensor, "n m"], rank: int) -> Factors:
    """Return ``B = U_r Σ_r`` and ``A = V_rᵀ``, the factors of the best approximation of a matrix with rank r.

    If r is larger than a side of the matrix, the factors are exact and padded with zeros. The padded parts of B and A
    stay zero in training, because the gradient of each is proportional to the other.

    Args:
        matrix: matrix of shape (n, m).
        rank: rank r of the factors, of shapes (n, r) and (r, m).
    """
    u, sigma, vt = torch.linalg.svd(wide(matrix), full_matrices=False)
    missing = max(0, rank - len(sigma))
    left, right = (u * sigma)[:, :rank], vt[:rank]
    return Factors(nn.functional.pad(left, (0, missing)), nn.functional.pad(right, (0, 0, 0, missing)))


def exact_factors(matrix: Float[Tensor, "n m"]) -> Factors:
    """Return a matrix as its product with an identity matrix on the shorter side."""
    n, m = matrix.shape
    identity = torch.eye(min(n, m), dtype=matrix.dtype, device=matrix.device)
    return Factors(matrix, identity) if m <= n else Factors(identity, matrix)


@torch.no_grad()
def inject(
    adapted: PeftModel, blocks: Iterable[tuple[str, Float[Tensor, "n m"]]], injection: Injection
) -> dict[str, Factors]:
    r"""Initialise each LoRA of an adapted student with a teacher block, and subtract from the weight W under it.

    ``code``: W - BA + BA, which starts at the unmodified student. ``appendix``: W - W_extract + BA, where W_extract is
    the whole block. For every LoRA scale s, the initial ``s · B A`` is the truncated SVD of the block.

    Args:
        adapted: a student with LoRA on every named matrix; weights that it shares with other models are not changed.
        blocks: names of the student's matrices and their blocks of shape (outputs, inputs), read one at a time.
        injection: the form of injection.

    Returns:
        The matrix subtracted from each weight, as factors without the scale s.
    """
    removed = {}
    for name, block in blocks:
        lora = _lora(adapted, name)
        a, b, scale = *_adapter(lora), lora.scaling["default"]
        block = block.to(b.device)
        start = truncated_svd(block, b.shape[1])
        b.copy_(start.left / scale)
        a.copy_(start.right)
        removed[name] = Factors(b.clone(), a.clone()) if injection == "code" else exact_factors(block.to(b) / scale)
        base: nn.Module = lora.get_base_layer()
        subtracted = scale * removed[name].left @ removed[name].right  # (outputs, inputs)
        subtracted = subtracted.T if lora.fan_in_fan_out else subtracted
        # A new parameter, since the old one belongs to the unmodified student too.
        base.weight = nn.Parameter((base.weight - subtracted).to(base.weight.dtype), requires_grad=False)
    return removed


def as_plain_lora(student: PreTrainedModel, adapted: PeftModel, removed: Mapping[str, Factors]) -> PeftModel:
    """Return the same model as LoRA on the unmodified student, which PEFT saves and loads as usual.

    ``W - s·C D + s·B A = W + s·[B, -C] [A; D]``: the ranks add up. With ``code`` this doubles the rank. With
    ``appendix`` the subtracted matrix has full rank, so the adapter is at least as large as the matrices.

    Args:
        student: the unmodified student, whose weights are shared.
        adapted: the student after :func:`inject` and training.
        removed: the factors that :func:`inject` returned.
    """
    changes = {}
    for name, (left, right) in removed.items():
        lora = _lora(adapted, name)
        (a, b), scale = _adapter(lora), lora.scaling["default"]
        changes[name] = Factors(scale * b.detach(), a.detach()).plus(Factors(-scale * left, right))
    return plain_lora(student, changes)


def _lora(model: PeftModel, name: str) -> Linear:
    return model.get_base_model().get_submodule(name)  # type: ignore[return-value]


def _adapter(lora: Linear) -> tuple[Tensor, Tensor]:
    return lora.lora_A["default"].weight, lora.lora_B["default"].weight  # type: ignore[return-value]
