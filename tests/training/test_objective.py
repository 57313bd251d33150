"""Terms that SemAlign's are compared with, in float64 against loops and whole forward passes."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from helpers.formulas import slow_relation
from helpers.models import make_llama, make_tokenizer, randomise
from helpers.objectives import terms
from torch import nn

from semalign.data.rows import encode, matching_positions
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair
from semalign.targets.store import StateStore
from semalign.training.checks import adapter_dropout
from semalign.training.layer_losses import LayerLoss
from semalign.training.lora import add_lora
from semalign.training.losses import kl_loss, layer_cosine_loss, relation_loss
from semalign.training.objective import Objective
from semalign.training.output_terms import OUTPUT_TERMS
from semalign.training.steering import Steering

K, LAYER = 3, 2


def prepare(teacher, student, rows, folder, pairs=((LAYER, K),), **settings):
    chosen = TransferSettings(rank=2, **settings)
    needs_teacher = OUTPUT_TERMS[chosen.output_loss].needs_teacher
    builder = TargetBuilder(Pair(teacher, student), chosen, teacher_logits=needs_teacher)
    supervision = builder.supervision(rows, [LayerPair([(layer, 1.0)], k) for layer, k in pairs], folder)
    adapted = add_lora(student.model, supervision.trained, chosen)
    randomise(adapted)
    objective = Objective(Architecture(adapted), supervision, chosen)
    return SimpleNamespace(supervision=supervision, adapted=adapted, objective=objective)


def whole_batch(run):
    return terms(run.objective, run.supervision.batch(range(len(run.supervision.examples))))


def forward(network, ids, layer, interface):
    """States of a layer and logits of one example, from a whole forward pass."""
    with capture(Architecture(network), [layer], interface) as seen:
        logits = network(ids).logits
    return seen[layer][0], logits[0]


def literal(teacher, student, adapted, rows, interface="mlp", layer=LAYER, k=K):
    """For each example, at its matched positions: student states and logits, teacher states and logits."""
    found = []
    for row in rows:
        ours, theirs = (encode([row], m.tokenizer, 64)[0] for m in (student, teacher))
        teacher_at, at = matching_positions(theirs, ours)
        states, logits = forward(adapted, torch.tensor([ours.input_ids]), k, interface)
        with torch.no_grad():
            targets, wanted = forward(teacher.model, torch.tensor([theirs.input_ids]), layer, interface)
        found.append((states[at], logits[at], targets[teacher_at], wanted[teacher_at]))
    return found


def gradients(loss, objective):
    parameters = [p for p in objective.parameters() if p.requires_grad]
    return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)


def assert_same(ours, literal, objective, rtol=1e-8):
    torch.testing.assert_close(ours, literal, rtol=1e-10, atol=1e-12)
    for one, other in zip(gradients(ours, objective), gradients(literal, objective), strict=True):
        torch.testing.assert_close(one, other, rtol=rtol, atol=1e-12)


def test_kl_by_hand():
    # p = (1/2, 1/2), q = (1/4, 3/4): KL(p||q) = ln(4/3)/2, KL(q||p) = ln(1/2)/4 + 3 ln(3/2)/4.
    p, q = torch.zeros(1, 2), torch.tensor([[1.0, 3.0]]).log()
    assert kl_loss(p, q).item() == pytest.approx(0.5 * torch.tensor(4 / 3).log().item(), rel=1e-6)
    assert kl_loss(p, q, reverse=True).item() == pytest.approx(0.130812, abs=1e-6)


def test_kl_is_that_of_torch():
    ours, theirs = torch.randn(2, 5, 7, dtype=torch.float64)
    log_s, log_t = ours.log_softmax(-1), theirs.log_softmax(-1)
    forward = nn.functional.kl_div(log_s, log_t, log_target=True, reduction="batchmean")
    reverse = nn.functional.kl_div(log_t, log_s, log_target=True, reduction="batchmean")
    torch.testing.assert_close(kl_loss(theirs, ours), forward)
    torch.testing.assert_close(kl_loss(theirs, ours, reverse=True), reverse)


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
    run = prepare(teacher, student, rows, tmp_path, output_loss=output_loss)
    parts = literal(teacher, student, run.adapted, rows)
    expected = kl_loss(*(torch.cat([part[i] for part in parts]) for i in (3, 1)), reverse=output_loss == "reverse_kl")
    assert_same(whole_batch(run)["output"], expected, run.objective)


def test_distillation_between_vocabularies_is_over_shared_tokens_at_matched_positions(student, rows, tmp_path):
    tokenizer = make_tokenizer(words=["is", "at"])
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)
    run = prepare(teacher, student, rows, tmp_path, output_loss="kl")
    theirs, ours = (m.tokenizer.get_vocab() for m in (teacher, student))
    shared = sorted(theirs.keys() & ours.keys())
    assert 40 < len(shared) < len(ours)
    parts = literal(teacher, student, run.adapted, rows)
    logits = torch.cat([part[1] for part in parts])[:, [ours[token] for token in shared]]
    wanted = torch.cat([part[3] for part in parts])[:, [theirs[token] for token in shared]]
    assert_same(whole_batch(run)["output"], kl_loss(wanted, logits), run.objective)


def test_relation_needs_no_map(teacher, student, rows, tmp_path):
    settings = {"map": "none", "layer_loss": "relation", "interface": "residual"}
    run = prepare(teacher, student, rows, tmp_path, **settings)
    parts = literal(teacher, student, run.adapted, rows, "residual")
    expected = slow_relation([(states, targets) for states, _, targets, _ in parts])
    assert_same(whole_batch(run)["layer"], expected, run.objective)
    assert run.objective.measure(run.supervision).keys() == {"output_cosine"}


@pytest.mark.parametrize("map_name", ["procrustes", "ridge"])
def test_at_heads_the_loss_is_the_mean_over_heads_compared_one_by_one(teacher, student, rows, tmp_path, map_name):
    run = prepare(teacher, student, rows, tmp_path, map=map_name, interface="heads")
    parts = literal(teacher, student, run.adapted, rows, "heads")
    states, targets = (torch.cat([part[i] for part in parts]) for i in (0, 2))  # (n, heads, D)
    alignment = run.supervision.layers[0].alignment
    by_head = [layer_cosine_loss(states[:, i], targets[:, i] @ alignment) for i in range(states.shape[1])]
    assert_same(whole_batch(run)["layer"], sum(by_head) / len(by_head), run.objective)
    measured = run.objective.measure(run.supervision)["layer_cosine"]
    assert measured == pytest.approx(1 - sum(by_head).item() / len(by_head))


def of_one_head(name, states, targets, rows):
    """The layer loss of one head by its formula; a list has the number of positions of each row."""
    if name == "relation":
        return slow_relation(list(zip(states.split(rows), targets.split(rows), strict=True)))
    return layer_cosine_loss(states, targets) if name == "cosine" else (states - targets).square().mean()


AT_HEADS = [("cosine", "procrustes"), ("mean_square", "ridge"), ("relation", "ridge"), ("relation", "none")]


@pytest.mark.parametrize(("loss", "map_name"), AT_HEADS)
def test_at_heads_a_loss_is_the_mean_of_what_it_is_for_each_head_alone(
    teacher, student, rows, tmp_path, loss, map_name
):
    run = prepare(teacher, student, rows, tmp_path, map=map_name, layer_loss=loss, interface="heads")
    parts = literal(teacher, student, run.adapted, rows, "heads")
    states, targets = (torch.cat([part[i] for part in parts]) for i in (0, 2))  # (n, heads, D)
    if map_name != "none":
        targets = targets @ run.supervision.layers[0].alignment
    lengths, heads = [len(part[0]) for part in parts], range(states.shape[1])
    by_head = [of_one_head(loss, states[:, i], targets[:, i], lengths) for i in heads]
    assert len(by_head) == 2 and len(lengths) == 12
    assert_same(whole_batch(run)["layer"], sum(by_head) / 2, run.objective)


def test_a_single_head_is_measured_against_its_own_target(tokenizer, rows, tmp_path):
    one_head = {"num_attention_heads": 1, "num_key_value_heads": 1}
    pair = [LanguageModel(make_llama(len(tokenizer), 12, 4, seed, **one_head), tokenizer) for seed in (1, 2)]
    run = prepare(*pair, rows, tmp_path, map="ridge", interface="heads")
    parts = literal(*pair, run.adapted, rows, "heads")
    states, targets = (torch.cat([part[i][:, 0] for part in parts]) for i in (0, 2))  # (n, D)
    wanted = 1 - layer_cosine_loss(states, targets @ run.supervision.layers[0].alignment).item()
    assert run.objective.measure(run.supervision)["layer_cosine"] == pytest.approx(wanted, rel=1e-9)


def test_at_heads_a_fitted_map_is_one_of_all_heads(teacher, student, rows, tmp_path):
    run = prepare(teacher, student, rows, tmp_path, map="ridge", interface="heads")
    states = []
    for model, layer in ((teacher, LAYER), (student, K)):
        found = []
        for row in rows:
            example = encode([row], model.tokenizer, 64)[0]
            with torch.no_grad():
                seen, _ = forward(model.model, torch.tensor([example.input_ids]), layer, "heads")
            found.append(seen[list(example.positions())].flatten(0, 1))
        states.append(torch.cat(found))
    x, y = states
    strength = 1e-3 * x.square().sum() / x.shape[1] * torch.eye(x.shape[1], dtype=x.dtype)
    wanted = torch.linalg.solve(x.T @ x + strength, x.T @ y)
    torch.testing.assert_close(run.supervision.layers[0].alignment, wanted)


def test_a_learned_projection_trains_along_and_is_not_kept(teacher, student, rows, tmp_path):
    settings = {"map": "learned", "layer_loss": "mean_square", "batch_size": 4, "epochs": 2, "learning_rate": 1e-2}
    run = prepare(teacher, student, rows, tmp_path, **settings)
    parts = literal(teacher, student, run.adapted, rows)
    states, targets = (torch.cat([part[i] for part in parts]) for i in (0, 2))
    projection = run.objective.projections[str(K)]
    assert_same(whole_batch(run)["layer"], (states @ projection - targets).square().mean(), run.objective)
    start = projection.detach().clone()
    Steering(run.objective).run()
    assert not torch.equal(projection, start)
    assert torch.equal(run.supervision.layers[0].projection, start)
    assert not any("projection" in name for name, _ in run.adapted.named_parameters())
    assert "layer_cosine" in run.objective.measure(run.supervision)


def test_centring_takes_the_batch_means_off_states_and_targets(teacher, student, rows, tmp_path):
    run = prepare(teacher, student, rows, tmp_path, centre_targets=True, map="least_squares")
    parts = literal(teacher, student, run.adapted, rows)
    states, targets = (torch.cat([part[i] for part in parts]) for i in (0, 2))
    targets = targets @ run.supervision.layers[0].alignment.double()
    expected = layer_cosine_loss(states - states.mean(0), targets - targets.mean(0))
    torch.testing.assert_close(whole_batch(run)["layer"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_several_layers_count_alike_in_the_layer_term(teacher, student, rows, tmp_path):
    pairs = ((2, 2), (5, 4))
    run = prepare(teacher, student, rows, tmp_path, pairs=pairs, map="procrustes")
    assert run.supervision.trained == [2, 4]
    losses = []
    for (layer, k), targets_of in zip(pairs, run.supervision.layers, strict=True):
        parts = literal(teacher, student, run.adapted, rows, layer=layer, k=k)
        states, targets = (torch.cat([part[i] for part in parts]) for i in (0, 2))
        losses.append(layer_cosine_loss(states, targets @ targets_of.alignment))
    assert not torch.equal(*(each.alignment for each in run.supervision.layers))
    assert_same(whole_batch(run)["layer"], sum(losses) / 2, run.objective, rtol=1e-6)  # norms round to float32
    measured = run.objective.measure(run.supervision, batch_size=5)
    assert measured["layer_cosine"] == pytest.approx(1 - sum(losses).item() / 2, rel=1e-9)


VARIANTS = [
    {},
    {"output_loss": "kl"},
    {"output_loss": "cross_entropy", "label_smoothing": 0.1},
    {"output_loss": "centred_cosine"},
    {"map": "none", "layer_loss": "relation", "output_loss": "reverse_kl"},
    {"map": "learned", "layer_loss": "mean_square"},
    {"centre_targets": True},
    {"centre_targets": True, "layer_loss": "mean_square", "map": "learned", "pairs": ((2, 2), (3, 3))},
    {"centre_targets": True, "layer_loss": "relation", "map": "none", "positions": "all"},
    {"pairs": ((2, 2), (5, 4)), "layer_weight": 0.3},
    {"interface": "heads", "layer_loss": "relation", "map": "none"},
    {"interface": "heads", "layer_loss": "relation", "map": "ridge", "centre_targets": True},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=lambda settings: "-".join(map(str, settings.values())) or "paper")
def test_parts_of_a_batch_give_values_and_gradients_of_the_whole(teacher, student, rows, tmp_path, settings):
    found = []
    for micro_batch_size in (None, 5):
        sizes = {"batch_size": 12, "micro_batch_size": micro_batch_size}
        run = prepare(teacher, student, rows, tmp_path, **sizes, **settings)
        terms = Steering(run.objective).backward(range(12))
        found.append((terms, [p.grad.clone() for p in run.objective.parameters() if p.requires_grad]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-9)
    assert any(gradient.any() for gradient in found[0][1])
    for whole, parts in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-8, atol=1e-12)


def test_centred_parts_draw_the_same_dropout_twice(teacher, student, rows, tmp_path):
    """Value and gradient of the whole batch, when both passes over the parts draw dropout."""
    found = []
    for centre in (True, False):
        settings = {"lora_dropout": 0.5, "centre_targets": centre, "micro_batch_size": 5, "batch_size": 12}
        run = prepare(teacher, student, rows, tmp_path, **settings)
        torch.manual_seed(0)
        with adapter_dropout(run.objective):
            Steering(run.objective).backward(range(12))
        found.append(torch.get_rng_state())
    assert torch.equal(*found)


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("interface", ["mlp", "heads"])
def test_positions_without_a_counterpart_have_no_target_and_make_no_gap(student, rows, tmp_path, interface, centre):
    """A row of which nothing matches gives no NaN, neither alone in a part nor when it is measured."""
    tokenizer = make_tokenizer(words=["is", "at"])
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)
    settings = {"output_loss": "kl", "map": "least_squares", "micro_batch_size": 1, "batch_size": 12}
    settings |= {"interface": interface, "centre_targets": centre}
    run = prepare(teacher, student, rows, tmp_path, **settings)
    none = run.supervision.matched[0]._replace(teacher=[], student=[])
    store = run.supervision.layers[0].teacher_states
    emptied = replace(
        run.supervision,
        matched=[none, *run.supervision.matched[1:]],
        layers=[replace(run.supervision.layers[0], teacher_states=WithoutFirst(store))],
        teacher_final=WithoutFirst(run.supervision.teacher_final),
    )
    objective = Objective(run.objective.student, emptied, run.objective.settings)
    terms = Steering(objective).backward(range(12))
    rest = Steering(run.objective).backward(range(1, 12))
    assert terms["layer"] == pytest.approx(rest["layer"], rel=1e-12)
    assert terms["output"] == pytest.approx(rest["output"], rel=1e-12)
    measured, whole = (each.measure(each.supervision, batch_size=1) for each in (objective, run.objective))
    assert centre or measured["layer_cosine"] == pytest.approx(1 - rest["layer"], rel=1e-9)
    assert measured["output_cosine"] == pytest.approx(whole["output_cosine"], rel=1e-9)


class WithoutFirst(StateStore):
    """A store whose first example has no positions."""

    def __init__(self, store):
        self.store, self.offsets = store, [0, *(offset - store.offsets[1] for offset in store.offsets[1:])]

    def __len__(self):
        return len(self.store)

    def __getitem__(self, i):
        return self.store[i][:0] if i == 0 else self.store[i]


def test_a_term_on_the_teachers_logits_needs_the_teacher(student, teacher):
    settings = TransferSettings(output_loss="kl")
    with pytest.raises(ValueError, match="needs the teacher's head"):
        OUTPUT_TERMS["kl"](Architecture(student.model), settings, None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda states, targets, rows: (states - targets).square().mean(), r"returned \(\) for 14 positions"),
        (lambda states, targets, rows: (states - targets).square(), r"returned \(14, 12\) for 14 positions"),
        (lambda states, targets, rows: (states - targets).norm(dim=-1, keepdim=True), r"returned \(14, 1\) for"),
        (lambda states, targets, rows: 0.0, "returned float for 14 positions"),
        (lambda states, targets, rows: (states - targets).detach().norm(dim=-1), "returned values without a gradient"),
    ],
    ids=["mean", "elements", "column", "number", "detached"],
)
def test_a_layer_loss_gives_one_value_with_a_gradient_for_each_position(
    teacher, student, rows, tmp_path, monkeypatch, values, message
):
    run = prepare(teacher, student, rows[:2], tmp_path)
    monkeypatch.setattr(run.objective, "layer_loss", LayerLoss(values))
    positions = len(run.supervision.batch([0, 1]).matched.rows)
    with pytest.raises(ValueError, match=f"^the layer loss 'cosine' {message.replace('14', str(positions))}"):
        whole_batch(run)


def test_an_output_term_gives_one_value_with_a_gradient_for_each_position(teacher, student, rows, tmp_path):
    run = prepare(teacher, student, rows[:2], tmp_path, output_loss="cross_entropy")
    term, n = run.objective.output_term.forward, len(run.supervision.batch([0, 1]).labels)
    for changed, message in {
        lambda states, batch: term(states, batch).mean(): f"returned () for {n} positions",
        lambda states, batch: term(states, batch).detach(): "returned values without a gradient",
    }.items():
        run.objective.output_term.forward = changed
        with pytest.raises(ValueError, match=f"^the output term 'cross_entropy' {re.escape(message)}"):
            whole_batch(run)
    with torch.no_grad():
        assert torch.isfinite(whole_batch(run)["output"])  # nothing is trained here
