import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semalign.sandbox.inside.wire import WireError, decode, encode, frame, receive

NUMBERS = st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.integers(), inner),
    max_leaves=20,
)


def refuse(_):
    raise TypeError("no objects here")


def through(value):
    return decode(encode(value, refuse), refuse)


@given(VALUES)
def test_plain_data_comes_back_with_its_types(value):
    assert repr(through(value)) == repr(value)


@given(st.sets(SCALARS), st.frozensets(st.tuples(SCALARS, SCALARS)))
def test_sets_come_back(some, more):
    assert through([some, more]) == [some, more]


@pytest.mark.parametrize(
    "value",
    [
        10**4_000,
        -(2**64),
        -0.0,
        math.inf,
        -math.inf,
        5e-324,
        0.1,
        "\ud800é",
        bytearray(b"x"),
        {1, 2},
        range(1, 9, 3),
        deque([1, [2]], 5),
        Fraction(1, 3),
        Decimal("0.10"),
        ...,
        int,
        ValueError,
    ],
)
def test_other_values_come_back(value):
    back = through(value)
    assert back == value and type(back) is type(value)


def test_what_equals_nothing_or_looks_the_same():
    assert math.isnan(through(math.nan))
    assert math.copysign(1, through(-0.0)) == -1
    assert str(through(Decimal("0.10"))) == "0.10"


def test_subclasses_come_back_as_the_type_they_extend():
    class Anything(int):
        def __eq__(self, other):
            return True

        def __format__(self, spec):
            return "0"

    pair = namedtuple("pair", "a b")
    values = [Anything(7), pair(1, 2), Counter("aab"), OrderedDict(a=1), defaultdict(list, {1: [2]})]
    back = through(values)
    assert [type(value) for value in back] == [int, tuple, dict, dict, dict]
    assert back == [7, (1, 2), {"a": 2, "b": 1}, {"a": 1}, {1: [2]}]


def test_an_example_by_hand():
    assert encode([5, "ab"], refuse) == b"l2:i1:5u2:ab"
    assert encode({None: 1.5}, refuse) == b"d1:N0:f20:0x1.8000000000000p+0"


def test_an_object_is_sent_as_its_number():
    thing = object()
    data = encode([thing], {thing: 3}.__getitem__)
    assert data == b"l1:r1:3"
    assert decode(data, {3: thing}.__getitem__) == [thing]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i",
        b"i1:",
        b"i3:xyz",
        b"i-1:5",
        b"l-1:",
        b"l2:N0:",
        b"N0:N0:",
        b"q1:a",
        b"u1:\xff",
        b"f3:xyz",
        b"s1:l0:",
        b"d1:l0:N0:",
        b"r1:9",
        b"c6:system",
        b"c4:eval",
        b"x1:N0:",
        b"x3:u2:osu6:systemt1:u4:true",
        b"x3:u11:collectionsu5:dequet1:i1:5",
        b"x3:l0:l0:t0:",
        b"l1:" * 10_000,
        b"l99999999999999999999:",
        b"999999999999999999999999999999",
    ],
)
def test_what_is_no_value_is_refused(data):
    with pytest.raises(WireError):
        decode(data, {}.__getitem__)


@given(st.binary())
def test_any_bytes_are_a_value_or_refused(data):
    try:
        decode(data, {}.__getitem__)
    except WireError:
        pass


def test_a_list_that_holds_itself_cannot_be_sent():
    value = []
    value.append(value)
    with pytest.raises(RecursionError):
        encode(value, refuse)


def reader(data):
    stream = iter([data[i : i + 3] for i in range(0, len(data), 3)])
    rest = bytearray()

    def read(size):
        if not rest:
            rest.extend(next(stream, b""))
        part = bytes(rest[:size])
        del rest[:size]
        return part

    return read


def test_frames_arrive_in_pieces_one_after_another():
    read = reader(frame(b"hello") + frame(b"") + frame(b"x"))
    assert [receive(read, 5) for _ in range(3)] == [b"hello", b"", b"x"]
    with pytest.raises(EOFError):
        receive(read, 5)


def test_a_frame_above_the_cap_is_refused_unread():
    with pytest.raises(WireError, match="more than 4 bytes"):
        receive(reader(frame(b"hello")), 4)
