"""Terms that SemAlign's are compared with, in float64 against loops and whole forward passes."""

import pytest
import torch
from helpers.formulas import slow_relation
from helpers.models import make_llama, make_tokenizer, randomise
from torch import nn

from semalign.data.rows import encode, matching_positions
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel
from semalign.settings import TransferSettings
from semalign.targets.builder import ModelPair
from semalign.training.losses import kl_loss, relation_loss
from semalign.training.steering import Steering, add_lora

K, LAYER = 3, 2


def prepare(teacher, student, rows, folder, **settings):
    chosen = TransferSettings(teacher_layer=LAYER, student_layer=K, rank=2, **settings)
    pair = ModelPair(teacher, student, chosen)
    supervision = pair.supervision(rows, pair.alignment(), [(LAYER, 1.0)], K, folder)
    adapted = add_lora(student.model, [K], chosen)
    randomise(adapted)
    return pair, supervision, adapted, pair.objective(adapted, K, supervision)


def forward(network, ids, layer, interface):
    """States of a layer and logits of one example, from a whole forward pass."""
    with capture(Architecture(network), [layer], interface) as seen:
        logits = network(ids).logits
    return seen[layer][0], logits[0]


def literal(teacher, student, adapted, rows, interface="mlp"):
    """For each example, at its matched positions: student states and logits, teacher states and logits."""
    found = []
    for row in rows:
        ours, theirs = (encode([row], m.tokenizer, 64)[0] for m in (student, teacher))
        at, teacher_at = matching_positions(ours, theirs)
        states, logits = forward(adapted, torch.tensor([ours.input_ids]), K, interface)
        with torch.no_grad():
            targets, wanted = forward(teacher.model, torch.tensor([theirs.input_ids]), LAYER, interface)
        found.append((states[at], logits[at], targets[teacher_at], wanted[teacher_at]))
    return found


def gradients(loss, objective):
    parameters = [p for p in objective.parameters() if p.requires_grad]
    return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)


def assert_same(ours, literal, objective):
    torch.testing.assert_close(ours, literal, rtol=1e-10, atol=1e-12)
    for one, other in zip(gradients(ours, objective), gradients(literal, objective), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


def test_kl_by_hand():
    # p = (1/2, 1/2), q = (1/4, 3/4): KL(p||q) = ln(4/3)/2, KL(q||p) = ln(1/2)/4 + 3 ln(3/2)/4.
    p, q = torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]).log()
    assert kl_loss(q, p).item() == pytest.approx(0.5 * torch.tensor(4 / 3).log().item(), rel=1e-6)
    assert kl_loss(q, p, reverse=True).item() == pytest.approx(0.130812, abs=1e-6)


def test_kl_is_that_of_torch():
    ours, theirs = torch.randn(2, 5, 7, dtype=torch.float64)
    log_s, log_t = ours.log_softmax(-1), theirs.log_softmax(-1)
    forward = nn.functional.kl_div(log_s, log_t, log_target=True, reduction="batchmean")
    reverse = nn.functional.kl_div(log_t, log_s, log_target=True, reduction="batchmean")
    torch.testing.assert_close(kl_loss(ours, theirs), forward)
    torch.testing.assert_close(kl_loss(ours, theirs, reverse=True), reverse)


def test_relation_is_the_loop_over_pairs_whatever_the_padding():
    torch.manual_seed(0)
    examples = [(torch.randn(n, 4, dtype=torch.float64), torch.randn(n, 6, dtype=torch.float64)) for n in (5, 2, 3)]
    h, t, mask = torch.randn(4, 8, 4).double(), torch.randn(4, 8, 6).double(), torch.zeros(4, 8, dtype=torch.bool)
    for row, (ours, theirs) in enumerate(examples):
        h[row, 1 : 1 + len(ours)], t[row, 1 : 1 + len(ours)], mask[row, 1 : 1 + len(ours)] = ours, theirs, True
    torch.testing.assert_close(relation_loss(h, t, mask), slow_relation(examples), rtol=1e-12, atol=1e-12)


def test_relation_sees_neither_rotation_nor_scale_nor_shift():
    h = torch.randn(1, 6, 4, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q
    mask = torch.ones(1, 6, dtype=torch.bool)
    assert relation_loss(h, 3 * h @ rotation + 1, mask).item() == pytest.approx(0, abs=1e-20)
    assert relation_loss(h, torch.randn_like(h), mask).item() > 0.01


@pytest.mark.parametrize("output_loss", ["kl", "reverse_kl"])
def test_distillation_is_that_of_whole_forward_passes(teacher, student, rows, tmp_path, output_loss):
    _, supervision, adapted, objective = prepare(teacher, student, rows, tmp_path, output_loss=output_loss)
    parts = literal(teacher, student, adapted, rows)
    expected = kl_loss(*(torch.cat([part[i] for part in parts]) for i in (1, 3)), reverse=output_loss == "reverse_kl")
    assert_same(objective(supervision.batch(range(len(rows)))).output, expected, objective)


def test_distillation_between_vocabularies_is_over_shared_tokens_at_matched_positions(student, rows, tmp_path):
    tokenizer = make_tokenizer(words=["is", "at"])
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)
    _, supervision, adapted, objective = prepare(teacher, student, rows, tmp_path, output_loss="kl")
    theirs, ours = (m.tokenizer.get_vocab() for m in (teacher, student))
    shared = sorted(theirs.keys() & ours.keys())
    assert 40 < len(shared) < len(ours)
    parts = literal(teacher, student, adapted, rows)
    logits = torch.cat([part[1] for part in parts])[:, [ours[token] for token in shared]]
    wanted = torch.cat([part[3] for part in parts])[:, [theirs[token] for token in shared]]
    assert_same(objective(supervision.batch(range(len(rows)))).output, kl_loss(logits, wanted), objective)


def test_relation_needs_no_map(teacher, student, rows, tmp_path):
    settings = {"map": "none", "layer_loss": "relation", "interface": "residual"}
    _, supervision, adapted, objective = prepare(teacher, student, rows, tmp_path, **settings)
    parts = literal(teacher, student, adapted, rows, "residual")
    expected = slow_relation([(states, targets) for states, _, targets, _ in parts])
    assert_same(objective(supervision.batch(range(len(rows)))).layer, expected, objective)
    assert objective.measure(supervision).keys() == {"output_cosine", "response_nll"}


def test_a_learned_projection_trains_along_and_is_not_kept(teacher, student, rows, tmp_path):
    settings = {"map": "learned", "layer_loss": "mean_square", "batch_size": 4, "epochs": 2, "learning_rate": 1e-2}
    pair, supervision, adapted, objective = prepare(teacher, student, rows, tmp_path, **settings)
    parts = literal(teacher, student, adapted, rows)
    states, targets = (torch.cat([part[i] for part in parts]) for i in (0, 2))
    expected = (states @ objective.projection - targets).square().mean()
    assert_same(objective(supervision.batch(range(len(rows)))).layer, expected, objective)
    start = objective.projection.detach().clone()
    Steering(objective, supervision, pair.settings).run()
    assert not torch.equal(objective.projection, start)
    assert torch.equal(supervision.projection, start)
    assert not any("projection" in name for name, _ in adapted.named_parameters())
    assert "layer_cosine" in objective.measure(supervision)


@pytest.mark.parametrize(
    "settings",
    [
        {"output_loss": "kl"},
        {"map": "none", "layer_loss": "relation", "output_loss": "reverse_kl"},
        {"map": "learned", "layer_loss": "mean_square"},
    ],
)
def test_parts_of_a_batch_give_the_gradient_of_the_whole(teacher, student, rows, tmp_path, settings):
    found = []
    for micro_batch_size in (None, 5):
        run = prepare(teacher, student, rows, tmp_path, batch_size=12, micro_batch_size=micro_batch_size, **settings)
        pair, supervision, _, objective = run
        terms = Steering(objective, supervision, pair.settings).backward(range(12))
        found.append((terms, [p.grad.clone() for p in objective.parameters() if p.requires_grad]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-9)
    for whole, parts in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-8, atol=1e-12)
