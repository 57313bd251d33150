"""Both injections against their formulas, on every architecture."""

import pytest
import torch
from helpers.models import SMALL, SPECIAL, TYPES, make_architecture
from helpers.seeking import logits

from semalign.data.rows import encode
from semalign.methods.seeking.injection import as_plain_lora, exact_factors, inject, truncated_svd
from semalign.methods.seeking.sensitivity import extract, matrix
from semalign.models.architecture import Architecture
from semalign.settings import TransferSettings
from semalign.training.lora import add_lora


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_svd_start_is_the_block_at_full_rank_and_its_best_approximation_below(shape):
    block = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for rank in (min(shape), min(shape) + 3):
        left, right = truncated_svd(block, rank)
        assert (left.shape, right.shape) == ((shape[0], rank), (rank, shape[1]))
        torch.testing.assert_close(left @ right, block, rtol=1e-12, atol=1e-12)
    left, right = truncated_svd(block, 2)
    torch.testing.assert_close(right @ right.T, torch.eye(2, dtype=torch.float64))
    error = torch.linalg.norm(block - left @ right)
    torch.testing.assert_close(error, torch.linalg.svdvals(block)[2:].square().sum().sqrt())
    left, right = exact_factors(block)
    assert torch.equal(left @ right, block)
    assert left.shape[1] == min(shape)


def injected(teacher, student, examples, injection, **settings):
    """A student with blocks of the teacher's injected, and these blocks."""
    large, small = Architecture(teacher), Architecture(student)
    extraction = extract(large, small, examples)
    names = small.lora_targets(range(1, small.n_layers + 1), all_matrices=True)
    pairs = [
        (k, path, block) for k, b in zip(extraction.layers, extraction.blocks, strict=True) for path, block in b.items()
    ]
    blocks = {
        name: block.of(matrix(large.layer(k).get_submodule(path)))
        for name, (k, path, block) in zip(names, pairs, strict=True)
    }
    adapted = add_lora(student, range(1, small.n_layers + 1), TransferSettings(**settings), all_matrices=True).eval()
    return adapted, inject(adapted, blocks.items(), injection), blocks


@pytest.mark.parametrize("alpha", [2, 6])
def test_the_code_form_starts_at_the_unmodified_student(teacher, student, rows, alpha):
    plain, examples = logits(student.model), encode(rows[:2], teacher.tokenizer, 64)
    before = {name: p.clone() for name, p in student.model.state_dict().items()}
    adapted, removed, blocks = injected(teacher.model, student.model, examples, "code", rank=2, lora_alpha=alpha)
    torch.testing.assert_close(logits(adapted), plain, rtol=1e-10, atol=1e-10)
    with adapted.disable_adapter():
        assert not torch.allclose(logits(adapted), plain, atol=1e-3)
    for name, block in blocks.items():
        start = truncated_svd(block, 2)
        torch.testing.assert_close(alpha / 2 * removed[name].left @ removed[name].right, start.left @ start.right)
    assert all(torch.equal(p, before[name]) for name, p in student.model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [2, 6])
def test_the_appendix_form_starts_elsewhere_at_its_formula(teacher, student, rows, alpha):
    plain, examples = logits(student.model), encode(rows[:2], teacher.tokenizer, 64)
    adapted, removed, blocks = injected(teacher.model, student.model, examples, "appendix", rank=2, lora_alpha=alpha)
    started = logits(adapted)
    assert not torch.allclose(started, plain, atol=1e-3)
    torch.testing.assert_close(logits(as_plain_lora(student.model, adapted, removed)), started, rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        for name, block in blocks.items():
            b, a = truncated_svd(block, 2)
            student.model.get_submodule(name).weight += b @ a - block
    torch.testing.assert_close(logits(student.model), started, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", TYPES)
def test_every_architecture_can_give_and_take(model_type, rows, tokenizer):
    """With the student for a teacher and full rank, both forms start at the student, and neither has moved it."""
    config = SPECIAL.get(model_type, SMALL)
    model = make_architecture(model_type, **{"vocab_size": len(tokenizer), **config})
    rank = max(max(p.shape) for p in Architecture(model).layers[0].parameters() if p.ndim == 2)
    plain, examples = logits(model), encode(rows[:1], tokenizer, 64)
    for injection in ("code", "appendix"):
        adapted, removed, blocks = injected(model, model, examples, injection, rank=rank)
        torch.testing.assert_close(logits(adapted), plain, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(logits(as_plain_lora(model, adapted, removed)), plain, rtol=1e-8, atol=1e-8)
        assert len(blocks) == 3 * len(Architecture(model).layout.matrices)
