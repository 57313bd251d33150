"""Which methods a mirror has, and what the tests' end believes of them."""

import types

import pytest
from helpers.ends import connected, two_ends

from semalign.sandbox.inside.methods import make_mirror
from semalign.sandbox.inside.wire import WireError, decode

PROGRAM = """
class V:
    def __init__(self, x, noise=0): self.x, self.noise = x, noise
    def __add__(self, o): return V(self.x + (o.x if isinstance(o, V) else o))
    __radd__ = __add__
    def __sub__(self, o): return self.x - (o.x if isinstance(o, V) else o)
    def __lt__(self, o): return self.x < o.x
    def __eq__(self, o): return True
    def __hash__(self): return self.x
    def __contains__(self, o): return True
    def __iter__(self): return iter([self.x])
    def __float__(self): return float(self.x)
    def __exit__(self, *e): return True
    def __enter__(self): return self
class Plain: pass
class L(list):
    def append(self, x): list.append(self, -x)
    def count(self, x): return 99
    def __add__(self, o): return L([5])
def gen(): yield 1
"""


@pytest.fixture(scope="module")
def names():
    with connected(PROGRAM) as peer:
        yield lambda name: peer.ask("name", name)


def test_two_objects_are_computed_and_ordered_by_the_program(names):
    v = names("V")
    assert (v(1) + v(2)).x == 3 and v(5) - v(2) == 3 and v(1) < v(2) and sorted([v(2), v(1)])[0].x == 1


def test_two_objects_are_equal_if_their_attributes_are(names):
    v, plain = names("V"), names("Plain")
    assert v(1) == v(1) and v(1) != v(2) and v(1) != v(1, noise=3) and len({v(1), v(1), v(2)}) == 2
    assert plain() != plain()


def test_an_object_and_data_are_compared_without_the_program(names):
    v = names("V")(1)
    assert v != 1 and 1 in v and 2 not in v  # by what it gives, though it says that it contains everything
    with pytest.raises(TypeError, match="not supported between"):
        assert v < 5
    with pytest.raises(TypeError, match="must give an object"):
        v - 1


def test_an_object_that_was_computed_with_data_gives_no_number(names):
    v = names("V")(1) + 4
    assert v.x == 5 and (4 + names("V")(1)).x == 5 and float(names("V")(1)) == 1.0
    for read in (float, list, len, hash, lambda x: f"{x}", lambda x: float(x + names("V")(1))):
        with pytest.raises(TypeError):
            read(v)


def test_a_program_cannot_suppress_an_error(names):
    with pytest.raises(ZeroDivisionError), names("V")(1):
        raise ZeroDivisionError


def test_what_extends_plain_data_may_change_itself_but_not_compare(names):
    kind = names("L")
    value = kind([1])
    value.append(2)
    assert value == [1, -2] and value.count(1) == 1 and value.__add__([3]) == [1, -2, 3] and value + kind([1]) == [5]


def test_a_mirror_has_the_methods_that_its_class_has(names):
    plain = names("Plain")()
    assert not callable(plain) and bool(plain) and callable(names("gen"))
    for act in (len, iter, lambda x: x[0], lambda x: x()):
        with pytest.raises(TypeError):
            act(plain)
    assert isinstance(names("gen")(), types.GeneratorType) and isinstance(names("gen"), types.FunctionType)


def test_a_trusting_end_lets_the_other_decide():
    tests, program = two_ends()
    asked = []
    names = ("__eq__", "__lt__", "__contains__", "__sub__")
    for end in (tests, program):
        end.ask = lambda *question: asked.append(question) or True
        make = make_mirror(end, 1, "A", "m", None, [object], names)
        value = object.__new__(make)
        assert (value == 4) is (end is program)
    assert asked == [("special", "__eq__", value, 4)]


def test_a_description_that_is_none_is_refused():
    tests, _ = two_ends()
    with pytest.raises(WireError):
        decode(b"K7:i1:1u1:Au1:Au1:mN0:t1:i1:1c15:builtins:object", tests)
