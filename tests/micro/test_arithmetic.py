import random
import re
from collections import Counter

import pytest

from semalign.micro import arithmetic


@pytest.fixture(scope="module")
def problems():
    rng = random.Random(0)
    return [arithmetic.problem(rng) for _ in range(400)]


def test_every_step_is_right_and_uses_known_numbers(problems):
    operations = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}
    for item in problems:
        known = {int(number) for number in re.findall(r"\d+", item.plain)}
        for step in item.steps:
            assert operations[step.operator](step.left, step.right) == step.result
            assert {step.left, step.right} <= known
            known.add(step.result)


def test_one_to_four_steps_all_occur(problems):
    assert set(Counter(len(item.steps) for item in problems)) == {1, 2, 3, 4}


def test_both_wordings_give_the_same_numbers(problems):
    for item in problems:
        assert Counter(re.findall(r"\d+", item.plain)) == Counter(re.findall(r"\d+", item.retold))


def test_row_ends_in_the_marked_answer(problems):
    for item in problems:
        *worked, final = arithmetic.gsm8k_row(item)["answer"].split("\n")
        assert final == f"#### {item.answer}"
        assert len(worked) == len(item.steps)
        assert worked[-1].endswith(f"={item.answer} {item.unit}")


def test_retelling_shares_no_line_with_the_benchmark_form():
    text = "".join(arithmetic.retelling(random.Random(3)))
    assert text.startswith("Puzzle. ") and "####" not in text and "Question" not in text
