"""The hypernetwork: its shape, its schedule, and its gradient against finite differences."""

from copy import deepcopy

import pytest
import torch
from helpers.laten import FAST, located_neurons

from semalign.data.rows import batches, encode
from semalign.methods.laten import hypernetwork
from semalign.methods.laten.hypernetwork import Alignment, Hypernetwork, one_cycle
from semalign.methods.laten.injection import MATRICES, injected, teacher_vectors
from semalign.methods.laten.settings import LatenSettings
from semalign.models.architecture import Architecture


@pytest.fixture
def alignment(pair, rows):
    teacher, student = pair
    given, taken = located_neurons(pair, rows)
    settings = LatenSettings(**{**FAST, "initial_std": 0.3, "penalty_weight": 2.0})
    return Alignment(
        Hypernetwork(16, 12, settings).double(),
        teacher_vectors(Architecture(teacher.model), given),
        Architecture(student.model),
        taken,
        encode(rows[3:9], student.tokenizer, student.context_length),
        settings,
    )


@torch.no_grad()
def literal_loss(alignment):
    """Change a copy of the student in place, run the whole of it and write out the loss."""
    deltas = alignment.hypernetwork(alignment.vectors)
    model = deepcopy(alignment.student.model)
    for name, tensor in injected(alignment.student, alignment.located, deltas).items():
        model.get_parameter(name).copy_(tensor)
    (batch,) = batches(alignment.examples, len(alignment.examples))
    logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), batch["labels"][:, 1:])
    return loss + 2.0 * sum(delta.square().mean() for delta in deltas.values())


@pytest.mark.slow
def test_the_gradient_of_the_hypernetwork_equals_finite_differences(alignment):
    terms = alignment.gradients(alignment.examples)
    assert sum(terms.values()) == pytest.approx(literal_loss(alignment).item(), rel=1e-10)
    generator, step = torch.Generator().manual_seed(0), 1e-5
    for name, parameter in alignment.hypernetwork.named_parameters():
        gradient = parameter.grad.flatten()
        assert gradient.abs().max() > 1e-5, name
        for i in [gradient.abs().argmax().item(), *torch.randint(len(gradient), (3,), generator=generator).tolist()]:
            flat, losses = parameter.data.view(-1), []
            for move in (step, -2 * step):
                flat[i] += move
                losses.append(literal_loss(alignment))
            flat[i] += step
            assert gradient[i].item() == pytest.approx(
                ((losses[0] - losses[1]) / (2 * step)).item(), rel=1e-4, abs=1e-8
            )
    assert all(parameter.grad is None for parameter in alignment.student.model.parameters())


def test_small_parts_of_a_batch_give_the_same_gradient(alignment, monkeypatch):
    sizes, summed_nll = [], hypernetwork.summed_nll

    def limited(model, examples):
        sizes.append(len(examples))
        if len(examples) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return summed_nll(model, examples)

    monkeypatch.setattr(hypernetwork, "summed_nll", limited)
    most = len(alignment.examples)
    whole = alignment.gradients(alignment.examples)
    gradients = [parameter.grad.clone() for parameter in alignment.hypernetwork.parameters()]
    alignment.hypernetwork.zero_grad()
    assert max(sizes) > 2
    most = 2  # as if the memory were too small for more
    assert alignment.gradients(alignment.examples) == pytest.approx(whole)
    assert set(sizes[-3:]) == {2} and alignment.parts.size == 2
    for parameter, gradient in zip(alignment.hypernetwork.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.slow
def test_training_lowers_the_loss_and_goes_through_the_rows_in_turn(alignment):
    seen = []
    gradients = alignment.gradients
    alignment.gradients = lambda examples: seen.extend(examples) or gradients(examples)
    alignment.settings = alignment.settings.model_copy(update={"learning_rate": 0.02, "batch_size": 3})
    alignment.steps = 12
    losses = [sum(terms.values()) for terms in alignment.run()]
    assert sum(losses[-2:]) < sum(losses[:2]) - 0.1
    ids = [example.input_ids for example in alignment.examples]
    rounds = [[ids.index(example.input_ids) for example in seen[i : i + 6]] for i in (0, 6)]
    assert [sorted(part) for part in rounds] == [[0, 1, 2, 3, 4, 5]] * 2
    assert rounds[0] != rounds[1]


def test_the_hypernetwork_has_the_published_shape():
    network = Hypernetwork(400, 300, LatenSettings())
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters()}
    assert shapes == {f"maps.{m}.{i}.weight": s for m in MATRICES for i, s in ((0, (400, 400)), (2, (300, 400)))}
    for parameter in network.parameters():
        assert parameter.std().item() == pytest.approx(1e-5, rel=0.02)
        assert abs(parameter.mean().item()) < 1e-7


@pytest.mark.parametrize("cycle", [20, 64])
def test_the_schedule_is_torchs_one_cycle(cycle):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, cycle, pct_start=0.1, final_div_factor=1)
    for step in range(cycle):
        assert one_cycle(step, cycle) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        if step < cycle - 1:
            schedule.step()


def test_the_schedule_of_a_short_cycle_starts_at_its_peak():
    assert [one_cycle(0, n) for n in (1, 2, 10)] == [1, 1, 1]  # torch's divides by zero at 10
