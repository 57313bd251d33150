"""The phases that score a model, at the shapes of Llama 2."""

import pytest
import torch

from semalign.planning import memory, scoring
from semalign.planning.machines import MACHINES
from semalign.planning.memory import Batch
from semalign.planning.setup import Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import Texts

SMALLER, LARGER = (shapes_of(f"meta-llama/Llama-2-{size}-chat-hf") for size in ("7b", "13b"))
SETUP = Setup(MACHINES["a100"], LARGER, SMALLER)
TEXTS = Texts.of([(100, 1)] * 64)


def test_a_generation_reads_the_weights_for_each_token_of_a_batch():
    found = scoring.generation(SETUP, LARGER, TEXTS, 32, 512, torch.float16)
    cache = 32 * 800 * 2 * 40 * 5120 * 2
    step = max((26_031_728_640 + cache / 2) / 2.0e12, 40 * scoring.LAUNCH)
    assert found.seconds == pytest.approx(2 * 512 * step, rel=0.06)  # the rest is the prompt
    assert found.gpu_memory - cache - memory.weights(LARGER, 2) == max(
        memory.forward(LARGER, Batch(32, 100, 32), 2), 12 * 32 * 32000
    )


def test_multiple_choice_holds_the_logits_of_all_tokens_three_times():
    found = scoring.choices(SETUP, SMALLER, TEXTS, 32, torch.float16)
    assert found.gpu_memory == memory.weights(SMALLER, 2) + 32 * 102 * 32000 * (2 + 4 + 4)


def test_an_analysis_holds_the_states_of_a_batch_at_all_places():
    found = scoring.decomposition(SETUP, SMALLER, TEXTS, 4)
    assert found.gpu_memory > memory.weights(SMALLER, 2) + 129 * 400 * 4096 * 2
    assert scoring.cka(SETUP, TEXTS).gpu_memory > memory.weights(SMALLER, 2) + memory.weights(LARGER, 2)
