import builtins
import keyword
import random
from itertools import product

import pytest

from semalign.micro.programs import INT_SLOTS, SLOTS, Function

MEANINGS = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "product": lambda a, b: a * b,
    "larger": max,
    "smaller": min,
    "distance": lambda a, b: abs(a - b),
    "times": lambda x, k: x * k,
    "plus": lambda x, k: x + k,
    "minus": lambda x, k: x - k,
    "mod": lambda x, k: x % k,
}


def evaluate(function, *arguments):
    return eval(function.expression("a", "b"), {}, dict(zip("ab", arguments, strict=True)))


def test_integer_expressions_apply_their_parts_in_order():
    rng = random.Random(0)
    for first, second, third in rng.sample(list(product(*INT_SLOTS)), 300):
        value = MEANINGS[first.name](7, -4)
        for part in (second, third):
            if part.name:
                value = MEANINGS[part.name](value, int(part.plain.split()[-1]))
        assert evaluate(Function("int", (first, second, third)), 7, -4) == value


@pytest.mark.parametrize("domain", SLOTS)
def test_names_are_fresh_identifiers(domain):
    for parts in product(*SLOTS[domain]):
        name = Function(domain, parts).name
        assert name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name)


def test_a_list_function_in_all_its_texts():
    which = next(part for part in SLOTS["list"][0] if part.name == "even")
    change = next(part for part in SLOTS["list"][1] if part.name == "times" and "3" in part.code)
    result = next(part for part in SLOTS["list"][2] if part.name == "total")
    function = Function("list", (which, change, result))
    assert function.source == (
        "def total_times_even(numbers):\n    return sum([x * 3 for x in numbers if x % 2 == 0])\n"
    )
    assert function.description == "the sum of the even numbers, each multiplied by 3"
    assert function.retelling == "keep evens; scale all by 3; add up"


@pytest.mark.parametrize("domain", SLOTS)
def test_descriptions_determine_the_function(domain):
    every = [Function(domain, parts) for parts in product(*SLOTS[domain])]
    assert len({function.description for function in every}) == len(every)
    assert len({function.retelling for function in every}) == len(every)
