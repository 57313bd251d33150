"""Operations at the shapes of Llama 2 against hand computation; `test_measured.py` has PyTorch's count."""

from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from semalign.bases.gram import gram
from semalign.planning import flops
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import Texts

SMALLER, LARGER = (shapes_of(f"meta-llama/Llama-2-{size}-chat-hf") for size in ("7b", "13b"))
ROW = Texts.of([(411, 100)])


def test_a_forward_pass_of_llama_2_7b():
    # 202,375,168 parameters a layer, two operations each for 512 tokens, and 4 * 4096 * 512^2 of attention.
    assert flops.layers_forward(SMALLER, ROW, 32) == 32 * (2 * 202_375_168 * 512 + 4 * 4096 * 512**2)
    assert flops.layers_forward(SMALLER, ROW, 32) == 6_768_868_458_496


def test_a_backward_pass_of_llama_2_13b():
    assert flops.layers_backward(LARGER, ROW, 40) == 40 * (2 * 317_194_240 * 512 + 10 * 5120 * 512**2)


def test_logits_of_the_supervised_positions():
    assert flops.head(SMALLER, ROW.positions) == 2 * 32000 * 4096 * 101


def test_a_basis_takes_two_gram_matrices_and_one_product_of_the_head_with_a_d_by_d_matrix():
    # 5,120 columns are halved four times, to 16 blocks on the diagonal: of 32 halves of blocks, 17 are multiplied.
    one_gram = 2 * 32000 * 5120**2 * 17 // 32
    assert flops.inverse(LARGER) == 2 * one_gram + 2 * 32000 * 5120**2 + 5120**3
    narrow = replace(LARGER, width=128)  # one block, multiplied whole
    assert flops.inverse(narrow) == 6 * 32000 * 128**2 + 128**3


def test_gram_matrices_multiply_the_blocks_that_are_counted():
    head = torch.zeros(10, 1100)
    with FlopCounterMode(display=False) as counter:
        gram(head, torch.float32)
    shapes = replace(LARGER, vocabulary=10, width=1100)
    assert 2 * counter.get_total_flops() == flops.inverse(shapes) - 2 * 10 * 1100**2 - 1100**3


def test_lora_and_trained_weights():
    assert flops.lora(SMALLER.lora_parameters(16), 512) == 6 * 16 * (2 * (4096 + 11008) + 4 * 4096) * 512
    assert flops.weight_gradients(10, 3) == 60


def test_the_map_between_bases():
    assert flops.alignment(LARGER, SMALLER) == 2 * 32000 * 5120 * 4096


def test_the_first_trained_layer_takes_no_gradient_to_queries_keys_and_values():
    assert flops.not_reached(SMALLER, ROW) == 2 * 3 * 4096**2 * 512
