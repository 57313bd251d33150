"""Objects, and instances of classes that extend plain data."""

from collections import Counter, namedtuple

import pytest
from helpers.ends import through, two_ends

from semalign.sandbox.inside.mirror import is_remote
from semalign.sandbox.inside.wire import decode, encode


class Liar(int):
    def __eq__(self, other):
        return True

    def __int__(self):
        return 4

    __hash__ = None


class Stack(list):
    def __iter__(self):
        return iter([4])


class Name(str):
    pass


class Share(float):
    pass


class Votes(Counter):
    pass


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Liar(7), 7),
        (Stack([1, 2]), [1, 2]),
        (Name("x"), "x"),
        (Share(-0.0), -0.0),
        (Pair(1, 2), (1, 2)),
        (Votes("aab"), Counter("aab")),
        (type("B", (bytes,), {})(b"x"), b"x"),
        (type("F", (frozenset,), {})([1]), frozenset([1])),
        (type("D", (dict,), {})(a=1), {"a": 1}),
    ],
)
def test_what_extends_plain_data_is_compared_as_plain_data(value, plain):
    back = through(value)
    assert isinstance(back, type(plain)) and is_remote(back)
    assert back == plain and plain == back
    if not isinstance(plain, (dict, list)):
        assert hash(back) == hash(plain)
    assert back != [4] and back != 4


def test_an_object_is_one_and_goes_back_as_itself():
    tests, program = two_ends()
    for value in (object(), Liar(7), Pair(1, 2), Stack(), len):
        one, again = decode(encode((value, value), program), tests)
        assert one is again and is_remote(one)
        assert decode(encode(one, tests), program) is value


def test_objects_equal_only_themselves():
    tests, program = two_ends()
    one, other = decode(encode((object(), object()), program), tests)
    assert one != other and one != 1 and len({one, other}) == 2


def test_an_example_by_hand():
    _, program = two_ends()
    value = object()
    assert encode((value, value), program) == b"t2:m2:i1:0c15:builtins:objecto1:0"
