import random

import pytest

from semalign.micro import function_family as family

pytestmark = pytest.mark.slow  # the first test that needs the family makes it


@pytest.fixture(scope="module")
def some_rows():
    splits = family.function_splits()
    return random.Random(0).sample([*splits["humaneval-test"], *splits["mbpp-test"]], 40)


def test_splits_are_disjoint_in_behaviour():
    splits = family.function_splits()
    assert {name: len(functions) for name, functions in splits.items() if name != "pool"} == {
        f"{benchmark}-{split}": size for benchmark in family.BENCHMARKS for split, size in family.SPLIT_SIZES.items()
    }
    everything = [function for functions in splits.values() for function in functions]
    assert len({(f.domain, *family.outputs(f)) for f in everything}) == len(everything) == len(family.family())


def test_telling_inputs_fail_every_near_miss(some_rows):
    for function in some_rows:
        chosen = family.telling_inputs(function)
        assert len(chosen) <= family.MBPP_ASSERTS
        for other in family.near_misses(function):
            assert any(family.outputs(other)[i] != family.outputs(function)[i] for i in chosen)


def test_asserts_pass_for_the_function_and_fail_for_near_misses(some_rows):
    for function in some_rows[:10]:
        lines = "\n".join(family.asserts(function, 3, function.name))
        exec(function.source + lines, {})
        other = family.near_misses(function)[0]
        renamed = other.source.replace(f"def {other.name}(", f"def {function.name}(")
        with pytest.raises(AssertionError):
            exec(renamed + lines, {})
