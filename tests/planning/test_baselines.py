"""The phases of the baselines at the shapes of Llama 2."""

from semalign.methods.declared.sft import SftSettings
from semalign.methods.laten.settings import LatenSettings
from semalign.methods.seeking.settings import SeekingSettings
from semalign.planning import baselines, memory
from semalign.planning.machines import MACHINES
from semalign.planning.memory import Batch
from semalign.planning.phases import phases_of
from semalign.planning.setup import Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import Texts

SMALLER, LARGER = (shapes_of(f"meta-llama/Llama-2-{size}-chat-hf") for size in ("7b", "13b"))
SETUP = Setup(MACHINES["a100"], LARGER, SMALLER)
TEXTS = Texts.of([(411, 100)] * 100)
TEACHER, STUDENT = 2 * 13_015_864_320, 2 * 6_738_415_616


def test_supervised_fine_tuning_does_not_read_the_teacher():
    read, training = baselines.fine_tuning(SETUP, SftSettings(micro_batch_size=4), TEXTS)
    assert read.gpu_memory == memory.weights(SMALLER, 2)
    batch, rank = Batch(4, 512, 404), 32 * SMALLER.lora_parameters(16)
    held = 32 * (memory.held(SMALLER, batch, 2) + memory.lora_inputs(SMALLER, batch, SMALLER.lora))
    assert training.gpu_memory == memory.weights(SMALLER, 2) + 16 * rank + held + memory.logits(SMALLER, 404, 2)


def test_every_training_has_the_rows_that_it_asks_for_and_the_teachers_answers():
    for settings in (SftSettings, SeekingSettings):
        whole, part = (
            {phase.name: phase.flops for phase in phases_of(SETUP, settings(**given), TEXTS)}
            for given in ({}, {"train_size": 25, "responses": "teacher"})
        )
        assert "generation" not in whole and part["generation"] > 0
        assert part["training"] * 4 == whole["training"]


def test_seeking_runs_on_one_gpu_however_many_there_are():
    large = Texts.of([(4000, 100)] * 100)
    one, two = (
        baselines.sensitivities(Setup(MACHINES["a100"]._replace(gpus=n), LARGER, SMALLER), large, SeekingSettings())
        for n in (1, 8)
    )
    assert one == two and one.gpu_memory < MACHINES["a100"].usable


def test_seeking_holds_one_model_at_a_time_a_student_in_float32_and_its_changed_matrices():
    read, sensitivities, again, training = baselines.seeking(SETUP, SeekingSettings(micro_batch_size=4), TEXTS)
    changed = 4 * 32 * 202_375_168
    assert (read.gpu_memory, again.gpu_memory) == (TEACHER, STUDENT)
    assert TEACHER < sensitivities.gpu_memory < TEACHER + 3 * STUDENT and sensitivities.batch == 4
    assert training.gpu_memory > STUDENT + 4 * 6_738_415_616 + changed
    assert training.gpu_memory < STUDENT + 4 * 6_738_415_616 + changed + 26e9  # activations of 2,048 tokens in float32


def test_the_windows_of_seeking_are_those_that_its_docstring_counts():
    # Eq.: 40 layers of (N - n + 1)(M - m + 1) float64 numbers, 4 GB for Llama 2 13B and 7B.
    window, rows = (
        baselines.sensitivities(SETUP, TEXTS.first(1), SeekingSettings(block=block))
        for block in ("window", "rows_columns")
    )
    assert round((window.gpu_memory - rows.gpu_memory) / 1e9) == 4


def test_laten_holds_a_copy_of_its_student_in_float32_and_changed_matrices():
    read, located, again, chosen, training = baselines.laten(SETUP, LatenSettings(micro_batch_size=4), TEXTS)
    changed = 4 * 32 * (2 * 4096 * 11008 + 2 * 4096**2)
    assert (read.gpu_memory, again.gpu_memory) == (TEACHER, STUDENT)
    assert TEACHER < located.gpu_memory < TEACHER + 2e9 < chosen.gpu_memory < STUDENT + 4 * 6_738_415_616 + 2e9
    batch, copy = Batch.longest(TEXTS, 4), 4 * 6_738_415_616
    held = 32 * (memory.held(SMALLER, batch, 4) + memory.lora_inputs(SMALLER, batch, SMALLER.lora))
    assert copy + changed + held < training.gpu_memory < copy + changed + held + 14e9
