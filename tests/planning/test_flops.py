"""Operations at the shapes of Llama 2 against hand computation; `test_measured.py` has PyTorch's count."""

from semalign.planning import flops
from semalign.planning.shapes import shapes_of
from semalign.planning.texts import Texts

SMALLER, LARGER = (shapes_of(f"meta-llama/Llama-2-{size}-chat-hf") for size in ("7b", "13b"))
ROW = Texts.of([(411, 100)], "a row of 512 tokens")


def test_a_forward_pass_of_llama_2_7b():
    # 202,375,168 parameters a layer, two operations each for 512 tokens, and 4 * 4096 * 512^2 of attention.
    assert flops.layers_forward(SMALLER, ROW, 32) == 32 * (2 * 202_375_168 * 512 + 4 * 4096 * 512**2)
    assert flops.layers_forward(SMALLER, ROW, 32) == 6_768_868_458_496


def test_a_backward_pass_of_llama_2_13b():
    assert flops.layers_backward(LARGER, ROW, 40) == 40 * (2 * 317_194_240 * 512 + 10 * 5120 * 512**2)


def test_logits_of_the_supervised_positions():
    assert flops.head(SMALLER, ROW.positions) == 2 * 32000 * 4096 * 101


def test_a_basis_takes_two_products_of_the_head_with_d_by_d_matrices():
    assert flops.inverse(LARGER) == 4 * 32000 * 5120**2 + 5120**3


def test_lora_and_trained_weights():
    assert flops.lora(SMALLER.lora_parameters(16), 512) == 6 * 16 * (2 * (4096 + 11008) + 4 * 4096) * 512
    assert flops.weight_gradients(10, 3) == 60


def test_the_map_between_bases():
    assert flops.alignment(LARGER, SMALLER) == 2 * 32000 * 5120 * 4096


def test_the_first_trained_layer_takes_no_gradient_to_queries_keys_and_values():
    assert flops.not_reached(SMALLER, ROW) == 2 * 3 * 4096**2 * 512
