"""What a method is given: where its checkpoints go, and what a run depends on."""

import pytest
import torch

from semalign.included import VARIABLE
from semalign.models.pair import Pair
from semalign.settings import TrainingSettings
from semalign.training.adaptation import Inputs, trainable


@pytest.fixture
def inputs(teacher, student, rows, tmp_path):
    return Inputs(Pair(teacher, student), rows, [], TrainingSettings(), tmp_path)


def test_checkpoints_go_to_the_folder_if_there_is_one(inputs, tmp_path):
    assert inputs.checkpoint() == tmp_path / "checkpoint.safetensors"
    assert inputs.checkpoint("layer-3") == tmp_path / "layer-3.safetensors"
    assert Inputs(inputs.pair, inputs.rows, [], inputs.settings).checkpoint() is None


def test_the_identity_follows_all_that_a_run_depends_on(inputs, teacher, student, rows, tmp_path):
    pair, settings, same = inputs.pair, inputs.settings, inputs.identity("sft")
    assert Inputs(pair, list(rows), rows[:2], settings, tmp_path / "elsewhere").identity("sft") == same
    smaller, longer = settings.model_copy(update={"micro_batch_size": 2}), settings.model_copy(update={"epochs": 9})
    assert Inputs(pair, rows, [], smaller).identity("sft") == Inputs(pair, rows, [], longer).identity("sft") == same
    with torch.no_grad():
        student.model.lm_head.weight[0, 0] += 1
    others = [
        inputs.identity(),
        inputs.identity("other"),
        Inputs(pair, rows[::-1], [], settings).identity("sft"),
        Inputs(pair, rows, [], TrainingSettings(seed=1)).identity("sft"),
        Inputs(Pair(teacher, student), rows, [], settings).identity("sft"),
        Inputs(Pair(student, teacher), rows, [], settings).identity("sft"),
    ]
    assert len({same, *others}) == 7


def test_the_users_own_code_is_part_of_the_identity(inputs, tmp_path, monkeypatch):
    without = inputs.identity()
    (tmp_path / "mine.py").write_text("scale = 1.0\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    first = inputs.identity()
    (tmp_path / "mine.py").write_text("scale = 2.0\n")
    assert len({without, first, inputs.identity()}) == 3


def test_trainable_parameters_are_counted(student, tokenizer):
    student.model.requires_grad_(False).lm_head.requires_grad_(True)
    assert trainable(student.model) == len(tokenizer) * 12
