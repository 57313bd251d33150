"""The loop around any objective, on one that is known by heart: seeded order, rates, checkpoints, an early stop."""

import os
import signal

import pytest
import torch
from helpers.damage import damaged
from helpers.processes import in_processes
from peft import LoraConfig, get_peft_model
from torch import nn

from semalign import stopping
from semalign.models import processes
from semalign.models.finite import NotFiniteError
from semalign.settings import TrainingSettings
from semalign.tensor_files import read_tensors
from semalign.training.loop import Training, slices


class Quadratic(Training):
    """Half the squared distance of a vector from the mean of some examples; it notes the rate of each step."""

    def __init__(self, settings, checkpoint=None, identity="", n=5, stop_at=None):
        model = nn.Linear(2, 1, bias=False)
        nn.init.zeros_(model.weight)
        super().__init__(model, n, settings, checkpoint, identity)
        self.seen, self.rates, self.stop_at = [], [], stop_at

    def backward(self, indices):
        if len(self.losses) == self.stop_at:
            raise KeyboardInterrupt
        self.seen.append(list(indices))
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        loss = (self.model.weight - sum(indices) / len(indices)).square().sum() / 2
        loss.backward()
        return {"loss": loss.item()}


def settings(**changes):
    return TrainingSettings(**{"epochs": 3, "batch_size": 2, "learning_rate": 0.1, "warmup_ratio": 0, **changes})


def test_every_epoch_shows_each_example_once_in_an_order_of_the_seed():
    runs = [Quadratic(settings(seed=seed)) for seed in (0, 0, 1)]
    for run in runs:
        run.run()
    orders = [[i for indices in run.seen for i in indices] for run in runs]
    first, again, other = ([order[start : start + 5] for start in (0, 5, 10)] for order in orders)
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in first)
    assert [len(part) for part in runs[0].seen] == [2, 2, 1] * 3
    assert first == again != other and len({tuple(epoch) for epoch in first}) > 1


def test_the_rate_rises_linearly_then_falls_towards_zero():
    run = Quadratic(settings(warmup_ratio=0.25, epochs=4, learning_rate=1.0), n=4)  # 8 steps, 2 of them warm up
    run.run()
    assert run.rates == pytest.approx([1 / 2, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    without = Quadratic(settings(epochs=2), n=4)
    without.run()
    assert without.rates == pytest.approx([0.1, 0.075, 0.05, 0.025])


def test_the_first_step_is_that_of_adamw():
    run = Quadratic(settings(epochs=1, batch_size=5, weight_decay=0.5))
    run.run()
    assert run.losses == [{"loss": pytest.approx(4.0)}]  # two weights, each 2 away from the mean of 0..4
    assert run.model.weight.tolist() == [pytest.approx([0.1, 0.1])]  # the rate, whatever the gradient's size


def test_gradients_do_not_add_up_over_steps():
    run = Quadratic(settings(epochs=2, batch_size=5))
    run.optimizer = torch.optim.SGD(run.parameters.values(), lr=1.0)
    run.settings = settings(epochs=2, batch_size=5, learning_rate=1.0)
    run.run()  # rates 1 and 1/2: the first step lands on the mean, where the gradient of the second is zero
    assert run.losses == [{"loss": 4.0}, {"loss": 0.0}] and run.model.weight.tolist() == [[2.0, 2.0]]


def test_a_stopped_run_goes_on_at_its_last_epoch(tmp_path):
    whole = Quadratic(settings())
    whole.run()
    path = tmp_path / "state.safetensors"
    with pytest.raises(KeyboardInterrupt):
        Quadratic(settings(), path, "same", stop_at=7).run()  # in the third epoch
    resumed = Quadratic(settings(), path, "same")
    assert resumed.run() == whole.losses
    assert resumed.seen == whole.seen[6:]
    assert torch.equal(resumed.model.weight, whole.model.weight)
    finished = Quadratic(settings(), path, "same")
    assert finished.run() == whole.losses and finished.seen == []
    assert read_tensors(path)[1]["losses"] == whole.losses
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


class Noisy(Quadratic):
    """The same with random numbers at every step, in float16's way: from the third step on, a scale of 2 is too high.

    ``signals`` gives the signal that comes during a step.
    """

    def __init__(self, *arguments, signals=(), **changes):
        super().__init__(*arguments, **changes)
        self.scale._highest, self.signals, self.scales = 4.0, dict(signals), []

    def backward(self, indices):
        noise = torch.nn.functional.dropout(torch.ones(2))
        loss = (self.model.weight * noise - sum(indices)).square().sum()
        self.scale.backward(loss if len(self.losses) % 3 < 2 or self.scale.value < 2 else loss * torch.inf)
        if (number := self.signals.pop(len(self.losses), None)) is not None:
            signal.raise_signal(number)
        return {"loss": loss.item()}

    def _step(self, indices):
        terms = super()._step(indices)
        self.scales.append(self.scale.value)
        return terms


@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_a_stop_signal_keeps_the_step_and_a_resumed_run_ends_like_an_undisturbed_one(tmp_path, caplog, step, number):
    whole = Noisy(settings(epochs=2))
    whole.run()
    assert whole.scales == [4, 4, 1, 4, 4, 1]
    path = tmp_path / "state.safetensors"
    stopped = Noisy(settings(epochs=2), path, "same", signals={step: number})
    kind = KeyboardInterrupt if number == signal.SIGINT else stopping.Stopped
    with pytest.raises(kind), stopping.handled():
        stopped.run()
    assert stopped.losses == whole.losses[: step + 1] and f"{path} holds {step + 1} of 6 steps" in caplog.text
    resumed = Noisy(settings(epochs=2), path, "same")
    assert resumed.run() == whole.losses and stopped.scales + resumed.scales == whole.scales
    assert torch.equal(resumed.model.weight, whole.model.weight)


def test_without_a_checkpoint_a_stop_signal_ends_the_run_at_once():
    run = Noisy(settings(), signals={2: signal.SIGTERM})
    with pytest.raises(stopping.Stopped), stopping.handled():
        run.run()
    assert len(run.losses) == 2


def test_a_checkpoint_of_another_identity_is_not_read(tmp_path, caplog):
    path = tmp_path / "state.safetensors"
    Quadratic(settings(), path, "one").run()
    other = Quadratic(settings(), path, "other")
    other.run()
    assert len(other.seen) == 9 and "starting anew" in caplog.text


def test_a_run_of_more_epochs_starts_anew_and_says_how_to_train_on(tmp_path, caplog):
    path = tmp_path / "state.safetensors"
    Quadratic(settings(epochs=1), path, "same").run()
    longer = Quadratic(settings(epochs=2), path, "same")
    longer.run()
    assert len(longer.seen) == 6 and "3 steps, this one has 6" in caplog.text and "--adapter" in caplog.text


class Unwritten(Quadratic):
    """The same, which reads its checkpoint and leaves it alone."""

    def _save(self):
        pass


def test_a_damaged_checkpoint_is_never_used(tmp_path, caplog):
    of_two_steps, path = settings(epochs=2, batch_size=5), tmp_path / "state.safetensors"
    whole = Quadratic(of_two_steps)
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        Quadratic(of_two_steps, path, "same", stop_at=1).run()  # in the second epoch
    kept = path.read_bytes()
    for what in damaged(path, step=17):
        caplog.clear()
        again = Unwritten(of_two_steps, path, "same")
        assert again.run() == whole.losses and len(again.seen) == 2, what
        assert torch.equal(again.model.weight, whole.model.weight) and str(path) in caplog.text, what
    assert path.read_bytes() == kept
    resumed = Unwritten(of_two_steps, path, "same")
    assert resumed.run() == whole.losses and len(resumed.seen) == 1
    path.write_bytes(kept[:-1])
    Quadratic(of_two_steps, path, "same").run()  # a whole one takes its place
    finished = Quadratic(of_two_steps, path, "same")
    assert finished.run() == whole.losses and finished.seen == []


def test_a_loss_that_is_not_finite_stops_before_the_step():
    run = Quadratic(settings(), n=2)
    run.backward = lambda indices: {"fine": 1.0, "loss": float("nan")}
    with pytest.raises(FloatingPointError, match="not finite at step 1: lower learning_rate"):
        run.run()
    assert run.model.weight.tolist() == [[0, 0]] and run.losses == []


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_stops_before_the_step(wrong, tmp_path):
    class Overflows(Quadratic):
        def backward(self, indices):
            terms = super().backward(indices)
            if len(self.losses) == 2:  # the last step of an epoch, after which the weights are kept
                self.model.weight.grad[0, 1] = wrong
            return terms

    run = Overflows(settings(batch_size=2), tmp_path / "checkpoint", "same", n=6)
    with pytest.raises(NotFiniteError, match="a gradient is not finite at step 3, though the loss is: use a wider"):
        run.run()
    assert run.model.weight.isfinite().all() and len(run.losses) == 2
    assert not (tmp_path / "checkpoint").exists()


def test_frozen_parameters_stay_and_have_no_state():
    class SumOfWeights(Training):
        def backward(self, indices):
            loss = sum(parameter.sum() for parameter in self.model.parameters())
            loss.backward()
            return {"loss": loss.item()}

    model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    run = SumOfWeights(model, 1, settings(weight_decay=0.5))
    run.run()
    assert list(run.parameters) == ["1.weight", "1.bias"] and len(run.optimizer.state) == 2
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"1.weight", "1.bias"}


def test_only_the_dropout_of_adapters_is_on_and_only_while_it_trains(student):
    config = LoraConfig(r=2, lora_dropout=0.5, target_modules=["up_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(student.model, config).eval()
    modes = {}

    class Looking(Training):
        def backward(self, indices):
            modes.update({name: module.training for name, module in self.model.named_modules()})
            return {"loss": 0.0}

    Looking(model, 1, settings(epochs=1)).run()
    on = {name for name, mode in modes.items() if mode}
    assert on == {name for name, _ in model.named_modules() if "lora_dropout" in name} and on
    assert not any(module.training for module in model.modules())


def test_random_numbers_outside_are_left_alone():
    run = Quadratic(settings())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run.run()
    assert torch.equal(torch.rand(3), expected)


def test_slices_cover_all_in_order():
    assert list(slices([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(slices("abcd", 4)) == ["abcd"] and list(slices([], 3)) == []


class Shared(Training):
    """The mean over the examples of a batch of half the squared distance of a vector from them, shared out."""

    def __init__(self, settings, checkpoint=None, n=5, signals=None):
        model = nn.Linear(2, 1, bias=False).double()
        nn.init.zeros_(model.weight)
        super().__init__(model, n, settings, checkpoint, "same")
        self.masks, self.signals = [], signals or {}

    def backward(self, indices):
        self.masks.append(torch.rand(()).item())
        if (len(self.losses), processes.number()) in self.signals:
            os.kill(os.getpid(), signal.SIGTERM)
        total = 0.0
        for i in processes.share(indices):
            loss = (self.model.weight - i).square().sum() / 2 / len(indices)
            loss.backward()
            total += loss.item()
        return {"loss": total}


def outcome(run):
    return [step["loss"] for step in run.run()], run.model.weight.tolist()


@pytest.mark.parametrize("n", [2, 3])
def test_several_processes_take_the_steps_of_one(n):
    losses, weight = outcome(Shared(settings()))
    for each in in_processes(n, lambda: outcome(Shared(settings()))):
        assert each[0] == pytest.approx(losses, rel=1e-12)
        assert each[1][0] == pytest.approx(weight[0], rel=1e-12)


def test_processes_draw_different_masks_and_the_first_those_of_one():
    def masks():
        run = Shared(settings())
        run.run()
        return run.masks

    first, second = in_processes(2, masks)
    assert first == masks() and not set(first) & set(second)


def test_a_stop_signal_to_one_process_stops_all_and_any_number_goes_on(tmp_path):
    path = tmp_path / "state.safetensors"
    losses, weight = outcome(Shared(settings()))

    def stopped():
        try:
            with stopping.handled():
                Shared(settings(), path, signals={(4, 1)}).run()
        except stopping.Stopped as end:
            return str(end)

    ends = in_processes(2, stopped)
    assert "another process" in ends[0] and "SIGTERM" in ends[1]
    assert len(read_tensors(path)[1]["losses"]) == 5  # in the middle of the second epoch
    kept = path.read_bytes()
    for n in (1, 2, 3):
        path.write_bytes(kept)
        for each in in_processes(n, lambda: outcome(Shared(settings(), path))):
            assert each[0] == pytest.approx(losses, rel=1e-12)
            assert each[1][0] == pytest.approx(weight[0], rel=1e-12)


def test_processes_that_do_not_share_a_checkpoint_are_told(tmp_path):
    Shared(settings(epochs=1), tmp_path / "0.safetensors").run()
    path = "{}.safetensors"
    errors = in_processes(2, lambda: Shared(settings(epochs=1), tmp_path / path.format(processes.number())).run())
    assert all(isinstance(error, OSError) and "all machines must share" in str(error) for error in errors)


def test_weights_that_differ_at_the_start_become_those_of_the_first():
    def work():
        run = Shared(settings())
        with torch.no_grad():
            run.model.weight += processes.number()
        return outcome(run)

    found = in_processes(2, work)
    assert found[0] == found[1] and found[0][0][0] == pytest.approx(outcome(Shared(settings()))[0][0])
