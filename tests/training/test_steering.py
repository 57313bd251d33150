"""The two shortcuts of training, against the plain full forward in float64; and what trains and what does not."""

from types import SimpleNamespace

import pytest
import torch
from helpers.models import exact_basis, make_architecture, randomise
from helpers.objectives import terms
from helpers.processes import in_processes

from semalign.data.rows import encode
from semalign.models import processes
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.alignment import alignment_map, decompose, recompose
from semalign.targets.builder import TargetBuilder
from semalign.targets.choice import LayerPair
from semalign.training.lora import add_lora
from semalign.training.losses import layer_cosine_loss, output_cosine_loss
from semalign.training.objective import Objective
from semalign.training.steering import Steering


def prepare(teacher, student, rows, folder, k=3, teacher_layer=3, **settings):
    chosen = TransferSettings(teacher_layer=teacher_layer, student_layer=k, rank=2, **settings)
    builder = TargetBuilder(Pair(teacher, student), chosen)
    builder.alignment = alignment_map(exact_basis(teacher), exact_basis(student))  # in float64
    supervision = builder.supervision(rows, [LayerPair([(teacher_layer, 1.0)], k)], folder)
    adapted = add_lora(student.model, [k], chosen)
    randomise(adapted)
    objective = Objective(Architecture(adapted), supervision, chosen)
    return SimpleNamespace(settings=chosen, supervision=supervision, adapted=adapted, objective=objective, k=k)


def literal_losses(run, teacher, student, rows):
    """The objective from whole forward passes, logits and m-dimensional coefficients: the paper, word by word."""
    s_teacher, s_student = exact_basis(teacher).unit, exact_basis(student).unit
    targets, states, logits, labels = [], [], [], []
    for row in rows:
        example = encode([row], student.tokenizer, 64)[0]
        ids, at = torch.tensor([example.input_ids]), list(example.positions(run.settings.positions))
        with torch.no_grad(), capture(Architecture(teacher.model), [3], run.settings.interface) as seen:
            teacher.model(ids)
        targets.append(recompose(decompose(seen[3][0, at], s_teacher), s_student))
        with capture(run.objective.student, [run.k], run.settings.interface) as seen:
            output = run.adapted(ids)
        states.append(seen[run.k][0, at])
        logits.append(output.logits[0, at])
        labels.append(ids[0, [i + 1 for i in at]])
    layer = layer_cosine_loss(torch.cat(states), torch.cat(targets))
    return layer, output_cosine_loss(torch.cat(logits), torch.cat(labels), run.settings.label_smoothing)


def gradients(loss, run):
    parameters = [p for p in run.adapted.parameters() if p.requires_grad]
    return torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)


@pytest.mark.parametrize("interface", ["attention", "mlp", "residual", "layer", "heads"])
@pytest.mark.parametrize(("positions", "smoothing"), [("response", 0.0), ("all", 0.1)])
def test_losses_and_gradients_are_those_of_the_plain_forward(
    teacher, student, rows, tmp_path, interface, positions, smoothing
):
    run = prepare(teacher, student, rows, tmp_path, interface=interface, positions=positions, label_smoothing=smoothing)
    fast = terms(run.objective, run.supervision.batch(range(len(rows))))
    literal = dict(zip(("layer", "output"), literal_losses(run, teacher, student, rows), strict=True))
    for name in ("layer", "output"):
        torch.testing.assert_close(fast[name], literal[name], rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(gradients(fast[name], run), gradients(literal[name], run), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_parts_of_a_batch_give_the_gradient_of_the_whole(teacher, student, rows, tmp_path):
    moved = []
    for micro_batch_size in (None, 5):
        run = prepare(
            teacher, student, rows, tmp_path, batch_size=12, micro_batch_size=micro_batch_size, epochs=1, warmup_ratio=0
        )
        steering = Steering(run.objective)
        steering.optimizer = torch.optim.SGD(steering.parameters.values(), lr=1.0)
        losses = steering.run()
        moved.append((losses, [p.detach().clone() for p in steering.parameters.values()]))
    assert moved[0][0][0] == pytest.approx(moved[1][0][0], rel=1e-6)
    for whole, parts in zip(moved[0][1], moved[1][1], strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-6, atol=1e-8)


HEADS = {"interface": "heads", "centre_targets": True}


@pytest.mark.parametrize("settings", [{}, {"centre_targets": True}, HEADS], ids=["plain", "centred", "heads"])
def test_one_process_of_several_may_have_too_little_memory(teacher, student, rows, tmp_path, settings):
    def steer():
        run = prepare(teacher, student, rows, tmp_path, batch_size=12, epochs=2, learning_rate=1e-2, **settings)
        forward, sizes = run.objective.forward, []

        def limited(batch):
            sizes.append(len(batch.states))
            if processes.number() == 1 and sizes[-1] > 2:
                raise torch.OutOfMemoryError("2 rows fit")
            return forward(batch)

        run.objective.forward = limited
        losses = Steering(run.objective).run()
        return [list(step.values()) for step in losses], sizes

    (losses, _), *several = (steer(), *in_processes(2, steer))
    for each, _ in several:
        torch.testing.assert_close(torch.tensor(each), torch.tensor(losses), rtol=1e-6, atol=1e-8)
    assert set(several[0][1]) == {6} and several[1][1][:2] == [6, 3] and set(several[1][1][3:]) <= {1, 2}


def test_only_the_adapter_of_layer_k_changes_and_the_student_stays(teacher, student, rows, tmp_path):
    before = {name: p.clone() for name, p in student.model.state_dict().items()}
    run = prepare(teacher, student, rows, tmp_path, k=2, batch_size=4, epochs=2, learning_rate=1e-2)
    start = {name: p.clone() for name, p in run.adapted.state_dict().items()}
    Steering(run.objective).run()
    changed = {name for name, p in run.adapted.state_dict().items() if not torch.equal(p, start[name])}
    assert len(changed) == 8
    assert all("layers.1." in name and "lora_" in name for name in changed)
    assert {n.split(".lora")[0].rsplit(".", 1)[1] for n in changed} == {"up_proj", "down_proj", "v_proj", "o_proj"}
    assert all(torch.equal(p, before[name]) for name, p in student.model.state_dict().items())
    assert all(p.requires_grad for p in student.model.parameters())


@pytest.mark.slow
def test_training_brings_both_losses_down(teacher, student, rows, tmp_path):
    run = prepare(teacher, student, rows, tmp_path, batch_size=4, epochs=20, learning_rate=1e-2)
    losses = Steering(run.objective).run()
    assert len(losses) == 60
    for term in ("layer", "output"):
        assert sum(step[term] for step in losses[-3:]) < 0.9 * sum(step[term] for step in losses[:3])


@pytest.mark.slow
def test_a_stopped_run_ends_like_an_undisturbed_one(teacher, student, rows, tmp_path):
    def steer(folder, stop_after=None):
        run = prepare(teacher, student, rows, tmp_path, batch_size=4, epochs=3, lora_dropout=0.1)
        steering = Steering(run.objective, folder / "checkpoint.safetensors", "same")
        if stop_after is not None:
            original = steering._step
            steering._step = lambda indices: original(indices) if len(steering.losses) < stop_after else 1 / 0
        return steering

    whole = steer(tmp_path / "a")
    expected = whole.run()
    with pytest.raises(ZeroDivisionError):
        steer(tmp_path / "b", stop_after=7).run()
    resumed = steer(tmp_path / "b")
    assert resumed.run() == expected
    for name, parameter in whole.parameters.items():
        assert torch.equal(parameter, resumed.parameters[name]), name


def test_a_checkpoint_of_another_run_is_not_used(teacher, student, rows, tmp_path, caplog):
    run = prepare(teacher, student, rows, tmp_path, batch_size=4, epochs=1)
    Steering(run.objective, tmp_path / "c.safetensors", "one").run()
    other = Steering(run.objective, tmp_path / "c.safetensors", "two")
    assert other.checkpoint.read() is None
    assert "starting anew" in caplog.text


def test_soft_capped_logits_take_the_plain_path(tokenizer, rows, tmp_path, teacher):
    config = {
        "hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 6, "max_position_embeddings": 64, "final_logit_softcapping": 2.0,
        "pad_token_id": 1, "eos_token_id": 0, "bos_token_id": 0, "initializer_range": 0.3,
    }  # fmt: skip
    model = make_architecture("gemma2", **{"vocab_size": len(tokenizer), **config})
    student = LanguageModel(model, tokenizer)
    run = prepare(teacher, student, rows, tmp_path, k=2)
    assert run.objective.output_term.logit_free is None
    fast = terms(run.objective, run.supervision.batch(range(len(rows))))
    logits, labels = [], []
    for row in rows:
        example = encode([row], tokenizer, 64)[0]
        ids, at = torch.tensor([example.input_ids]), list(example.positions())
        logits.append(run.adapted(ids).logits[0, at])
        labels.append(ids[0, [i + 1 for i in at]])
    torch.testing.assert_close(fast["output"], output_cosine_loss(torch.cat(logits), torch.cat(labels)))
    with pytest.raises(ValueError, match="linear"):
        prepare(teacher, student, rows, tmp_path, k=2, output_loss="centred_cosine")


@pytest.mark.parametrize("interface", ["mlp", "residual", "heads"])
def test_activation_checkpointing_changes_no_result(teacher, student, rows, tmp_path, interface):
    ends = []
    for on in (False, True):
        settings = {"interface": interface, "activation_checkpointing": on, "lora_dropout": 0.2, "centre_targets": True}
        run = prepare(teacher, student, rows, tmp_path, k=2, batch_size=6, micro_batch_size=2, epochs=1, **settings)
        ends.append((Steering(run.objective).run(), [p.clone() for p in run.adapted.parameters() if p.requires_grad]))
    assert ends[0][0] == ends[1][0] and all(map(torch.equal, ends[0][1], ends[1][1]))


@pytest.mark.parametrize("centred", [False, True])
def test_a_batch_that_does_not_fit_is_trained_in_smaller_parts_without_a_trace(
    teacher, student, rows, tmp_path, centred
):
    ends, sizes = [], []
    for micro_batch_size in (3, 6):
        chosen = {"micro_batch_size": micro_batch_size, "lora_dropout": 0.2, "centre_targets": centred}
        run = prepare(teacher, student, rows, tmp_path, batch_size=12, epochs=2, **chosen)
        steering = Steering(run.objective)
        if micro_batch_size == 6:
            forward = run.objective.forward

            def limited(batch, forward=forward):
                reached = forward(batch)
                sizes.append(len(batch.states))
                if sizes[-1] > 3 and len(sizes) > 1:  # the second part, when the first has its gradient
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
                return reached

            run.objective.forward = limited
        ends.append((steering.run(), [p.detach().clone() for p in steering.parameters.values()]))
    assert sizes[:2] == [6, 6] and set(sizes[2:]) == {3}
    assert ends[0][0] == ends[1][0] and all(map(torch.equal, ends[0][1], ends[1][1]))
