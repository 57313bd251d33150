"""Objects and classes of a program as the tests see them."""

import pytest
from helpers.ends import connected

from semalign.sandbox.inside.mirror import Mirror, Remote, is_remote

PROGRAM = """
class A:
    'Text.'
    kind = 'a'
    def __init__(self, x): self.x = x
    def double(self): return 2 * self.x
    def __class_getitem__(cls, key): return key
    def __str__(self): return 'so'
class B(A): pass
from enum import Enum
class Color(Enum):
    RED = 1
    BLUE = 2
def f(a, b=2): 'Adds.'; return a + b
"""


@pytest.fixture(scope="module")
def names():
    with connected(PROGRAM) as peer:
        yield lambda name: peer.ask("name", name)


def test_a_class_makes_objects_of_its_mirror(names):
    a, b = names("A"), names("B")
    made = b(3)
    assert type(made) is b and isinstance(made, a) and not isinstance(a(1), b) and type(b) is Mirror
    assert is_remote(made) and is_remote(a) and not is_remote(3) and not is_remote(int)


def test_attributes_are_asked_for_and_set(names):
    made = names("A")(3)
    assert (made.x, made.double(), made.kind) == (3, 6, "a")
    made.x = 5
    assert made.double() == 10 and hasattr(made, "x") and not hasattr(made, "y")
    del made.x
    assert not hasattr(made, "x")
    names("A").kind = "b"
    assert made.kind == "b"
    names("A").kind = "a"


def test_texts_and_documentation(names):
    made = names("A")(3)
    assert str(made) == f"{made}" == "so" and "A object at" in repr(made)
    assert names("A").__doc__ == made.__doc__ == "Text." and names("f").__doc__ == "Adds."


def test_what_is_done_with_a_class(names):
    color = names("Color")
    assert [each.name for each in color] == ["RED", "BLUE"] and len(color) == 2 and color["RED"] is color(1)
    assert color.RED in color and bool(names("A")) and names("A")[3] == 3
    with pytest.raises(TypeError):
        iter(names("A"))


def test_a_class_of_the_other_process_cannot_be_extended(names):
    with pytest.raises(TypeError, match="C extends a class of the other process"):
        type("C", (names("A"),), {})
    assert type(type("C", (Remote,), {})) is Mirror
