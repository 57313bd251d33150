"""Bytes at the shapes of Llama 2 against hand computation; `test_measured.py` compares them with measured peaks."""

from semalign.planning import memory
from semalign.planning.memory import Batch
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import Texts

SMALLER, LARGER = (shapes_of(f"meta-llama/Llama-2-{size}-chat-hf") for size in ("7b", "13b"))
BATCH = Batch(4, 512, 404)


def test_weights_of_all_layers_and_of_some():
    assert memory.weights(LARGER, 2) == 26_031_728_640
    assert memory.weights(SMALLER, 2, 1) == 2 * (2 * 32000 * 4096 + 202_375_168 + 2 * 4096 + 4096)


def test_a_layer_holds_its_norms_inputs_attention_and_mlp():
    # Of each of 2,048 tokens: 2 x 4096 in float32; q, k, v and output in half; 32 log-sums; 3 x 11008 in half.
    assert memory.held(SMALLER, BATCH, 2) == 2048 * (2 * 4096 * 4 + 4 * 4096 * 2 + 32 * 4 + 3 * 11008 * 2)


def test_checkpointing_keeps_the_input_of_each_layer_and_all_of_one():
    one = memory.held(SMALLER, BATCH, 2)
    assert memory.activations(SMALLER, BATCH, 2, 32) == 32 * one
    assert memory.activations(SMALLER, BATCH, 2, 32, checkpointing=True) == 32 * 2048 * 4096 * 2 + one


def test_the_cache_doubles_from_room_for_two_prompts():
    # 100 tokens of prompt and 512 of answer: 200, 400, 800 tokens of 2 x 32 layers x 4096 channels.
    assert memory.cache(SMALLER, 32, 100, 512, 2) == 32 * 800 * 2 * 32 * 4096 * 2


def test_logits_are_float32_and_so_is_the_head_then():
    head = 32000 * 5120 * 4
    assert memory.logits(LARGER, 101, 2) == 101 * (32000 + 2 * 5120) * 4 + head
    assert memory.logits(LARGER, 101, 4) == 101 * (32000 + 2 * 5120) * 4


def test_logits_of_524_positions_are_the_most_that_is_held():
    assert memory.logits(LARGER, 1000, 4) - memory.logits(LARGER, 524, 4) == 476 * 2 * 5120 * 4


def test_what_trains_has_a_gradient_and_two_moments():
    assert memory.trained(1000) == 16_000


def test_a_basis_of_llama_2_13b():
    assert memory.inverted(LARGER) == 5120**2 * (8 + 4 + 8)
    assert memory.inversion(LARGER) == 4 * 5120**2 * 8 + 2 * 4096 * 5120 * 8
    assert memory.basis(LARGER, 4) == 32000 * 5120 * 4 + 3 * 5120**2 * 8 + 2 * 4096 * 5120 * 8


def test_the_batch_that_needs_most_is_of_the_longest_rows():
    texts = Texts.of([(5, 2), (20, 3), (1, 1), (10, 9)])
    assert Batch.longest(texts, 2) == Batch(2, 24, 4 + 10)


def test_inputs_of_lora_are_in_float32_and_shared_ones_count_once():
    assert memory.lora_inputs(SMALLER, BATCH, SMALLER.lora) == 4 * 2048 * (3 * 4096 + 11008)
    assert memory.lora_inputs(SMALLER, BATCH, tuple(SMALLER.matrices)) == 4 * 2048 * (3 * 4096 + 11008)
