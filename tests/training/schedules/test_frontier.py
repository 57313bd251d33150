"""The frontier schedule: one layer at a time, on the student as it is by then, with the steps of one layer in all."""

import os

import pytest
import torch
from helpers.disks import ended_process
from helpers.formulas import slow_relation

import semalign
from semalign.data.rows import encode
from semalign.disk import temporary_folder
from semalign.methods.runner import run_method
from semalign.models.architecture import Architecture
from semalign.models.capture import capture
from semalign.paths import cache_dir
from semalign.settings import TransferSettings
from semalign.training.lora import add_lora
from semalign.training.losses import kl_loss
from semalign.training.schedules.frontier import shares
from semalign.training.steering import Steering

FAST = {"rank": 2, "batch_size": 4, "epochs": 2, "learning_rate": 1e-2}


@pytest.mark.parametrize(
    ("epochs", "n_layers", "passes", "size"), [(5, 8, 1, 6), (2, 4, 1, 5), (4, 4, 1, 10), (8, 4, 2, 10), (5, 4, 2, 6)]
)
def test_layers_share_the_epochs_evenly(epochs, n_layers, passes, size):
    rows = [{"prompt": str(i)} for i in range(10)]
    found, parts = shares(rows, n_layers, epochs, seed=0)
    assert found == passes
    assert [len(part) for part in parts] == [size] * n_layers
    assert abs(passes * size * n_layers - epochs * 10) <= passes * n_layers / 2
    seen = [int(row["prompt"]) for part in parts for row in part]
    counts = [seen.count(i) for i in range(10)]
    assert max(counts) - min(counts) <= 1


def test_windows_follow_each_other_in_a_seeded_order():
    rows = [{"prompt": str(i)} for i in range(8)]
    _, parts = shares(rows, 4, 1, seed=0)
    assert sorted(row["prompt"] for part in parts for row in part) == sorted(row["prompt"] for row in rows)
    assert shares(rows, 4, 1, seed=0)[1] == parts != shares(rows, 4, 1, seed=1)[1]


@pytest.mark.slow
def test_only_the_layer_at_the_frontier_changes(teacher, student, rows, monkeypatch):
    original, changed = Steering.run, []

    def watching(self):
        before = {name: p.clone() for name, p in self.model.named_parameters()}
        losses = original(self)
        changed.append(
            {name.split("layers.")[1][0] for name, p in self.model.named_parameters() if p.ne(before[name]).any()}
        )
        return losses

    monkeypatch.setattr(Steering, "run", watching)
    result = run_method("frontier", teacher, student, rows, **FAST)
    assert changed == [{"0"}, {"1"}, {"2"}, {"3"}]
    assert len(result.record["losses"]) == 8  # 6 rows, so 2 steps, for each of four layers
    assert result.record["details"]["pairs"] == [
        [[[semalign.pairing.teacher_layer(k, 5, 4), 1.0]], k] for k in (1, 2, 3, 4)
    ]
    assert result.record["details"]["vocabulary"]["shared"] == len(student.tokenizer)
    assert result.record["details"]["adapter_parameters"] == sum(
        p.numel() for name, p in result.model.model.named_parameters() if "lora_" in name
    )


@pytest.mark.slow
def test_each_layer_starts_from_the_trained_ones_below(teacher, student, rows, monkeypatch):
    """The first losses of the last layer, from whole forward passes of the student as it was then."""
    original, seen = Steering.run, []

    def watching(self):
        if self.supervision.trained == [4]:
            seen.append({name: p.detach().clone() for name, p in self.objective.adapted.named_parameters()})
        return original(self)

    monkeypatch.setattr(Steering, "run", watching)
    record = run_method("frontier", teacher, student, rows, **{**FAST, "batch_size": 64}).record
    settings = TransferSettings(rank=2)
    adapted = add_lora(student.model, [1, 2, 3, 4], settings)
    Architecture(adapted).model.load_state_dict(seen[0])
    _, parts = shares(rows, 4, 2, seed=0)
    pairs, logits, wanted = [], [], []
    for row in parts[3]:
        example = encode([row], student.tokenizer, 64)[0]
        ids, at = torch.tensor([example.input_ids]), list(example.positions())
        found = []
        for network, k in ((adapted, 4), (teacher.model, 5)):
            with torch.no_grad(), capture(Architecture(network), [k], "residual") as states:
                found.append((network(ids).logits[0, at], states[k][0, at]))
        pairs.append((found[0][1], found[1][1]))
        logits.append(found[0][0])
        wanted.append(found[1][0])
    assert record["losses"][3]["layer"] == pytest.approx(slow_relation(pairs).item(), rel=1e-6)
    assert record["losses"][3]["output"] == pytest.approx(
        kl_loss(torch.cat(wanted), torch.cat(logits)).item(), rel=1e-6
    )


@pytest.mark.slow
def test_a_stopped_run_goes_on_at_its_layer(teacher, student, rows, unseen, tmp_path, monkeypatch):
    settings = {**FAST, "validation": unseen[:2]}
    whole = run_method("frontier", teacher, student, rows, output_dir=tmp_path / "a", **settings)
    original, started = Steering.run, []

    def stopping(self):
        started.append(self.supervision.trained[0])
        if started == [1, 2, 3]:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(Steering, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_method("frontier", teacher, student, rows, output_dir=tmp_path / "b", **settings)
    monkeypatch.setattr(
        Steering, "_step", lambda self, indices: self.supervision.trained[0] > 2 and _step(self, indices)
    )
    resumed = run_method("frontier", teacher, student, rows, output_dir=tmp_path / "b", **settings)
    assert resumed.record["losses"] == whole.record["losses"]
    assert resumed.record["value"] == whole.record["value"]


@pytest.mark.slow
def test_states_of_a_stopped_or_killed_run_do_not_stay(teacher, student, rows, monkeypatch):
    states = cache_dir() / "states"
    with temporary_folder(states) as folder:
        left = folder.name.replace(str(os.getpid()), str(ended_process()))
    (states / left / "00000.safetensors").mkdir(parents=True)
    during, original = [], Steering.run

    def stopping(self):
        during.append([path.name for path in states.iterdir()])
        if len(during) == 2:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(Steering, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_method("frontier", teacher, student, rows, **FAST)
    assert [len(names) for names in during] == [2, 2]  # the teacher's, and the layer's own
    assert left not in during[0]
    assert list(states.iterdir()) == []


_step = Steering._step
