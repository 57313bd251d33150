"""What phases share: types, times, batches that fit."""

from dataclasses import replace

import pytest
import torch

from semalign.planning.machines import MACHINES
from semalign.planning.setup import Options, Setup, largest_batch
from semalign.planning.shapes import shapes_of
from semalign.settings import TrainingSettings

TEACHER, STUDENT = shapes_of("micro-teacher"), shapes_of("micro-student")
SETUP = Setup(MACHINES["a100"], TEACHER, STUDENT)


def test_models_run_in_the_type_of_their_checkpoint_or_the_one_asked_for():
    assert Options().type_of(TEACHER) == torch.float32 and Options().size(TEACHER) == 4
    half = replace(TEACHER, dtype=torch.float16)
    assert Options().type_of(half) == torch.float16 and Options().size(half) == 2
    assert Options(dtype=torch.float32).size(half) == 4


def test_the_largest_batch_is_halved_until_it_fits():
    assert largest_batch(16, lambda rows: 10 * rows, 100) == 8
    assert largest_batch(16, lambda rows: 10 * rows, 160) == 16
    assert largest_batch(3, lambda rows: 10 * rows, 25) == 2
    assert largest_batch(16, lambda rows: 1000, 100) == 1


def test_operations_in_float64_have_their_own_speed():
    phase = SETUP.phase("both", 1, 3 * 10**15, torch.float16, double=10**15)
    assert phase.seconds == pytest.approx(2e15 / (0.4 * 312e12) + 1e15 / (0.4 * 19.5e12))


def test_models_are_read_at_a_gigabyte_a_second():
    phase = SETUP.reading(TEACHER, STUDENT)
    assert phase.gpu_memory == 4 * (TEACHER.parameters + STUDENT.parameters)
    assert phase.seconds == phase.gpu_memory / 1e9


def test_options_are_those_of_the_settings_unless_given():
    assert Options(activation_checkpointing=True).checkpointing(TrainingSettings())
    assert not Options().checkpointing(TrainingSettings())


def test_a_job_has_the_memory_of_all_its_gpus():
    assert Setup(MACHINES["a100"]._replace(gpus=2), TEACHER, STUDENT).usable == 2 * MACHINES["a100"].usable
