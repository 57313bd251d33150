"""The names that tests look up in the program, and the verdict."""

import ast

import pytest

from semalign.sandbox.inside.tests import free_names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("assert f(1) == 2", {"f"}),
        ("def check(candidate):\n    import math\n    x = 1\n    assert candidate(x) < math.pi\ncheck(f)", {"f"}),
        ("import os.path as p, re\nclass A: pass\nassert A and p and re and g", {"g"}),
        ("try:\n    f()\nexcept E as e:\n    assert e", {"f", "E"}),
        ("assert all(f(x) for x in [1])", {"all", "f"}),
    ],
)
def test_free_names(source, names):
    assert free_names(ast.parse(source)) == names
