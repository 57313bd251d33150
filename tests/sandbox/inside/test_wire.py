import math
from fractions import Fraction

import pytest
from helpers.ends import two_ends
from hypothesis import given
from hypothesis import strategies as st

from semalign.sandbox.inside.wire import WireError, decode, encode, frame, full_name, loaded, located, receive

NUMBERS = st.integers() | st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text() | st.binary()
VALUES = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.tuples(inner), max_leaves=20)


def through(value):
    return decode(encode(value))


@given(VALUES)
def test_plain_data_comes_back_with_its_types(value):
    assert repr(through(value)) == repr(value)


@given(st.frozensets(st.tuples(SCALARS, SCALARS)))
def test_sets_come_back(value):
    assert through(value) == value


@pytest.mark.parametrize(
    "value", [10**4_000, -(2**64), 0, -1, -0.0, math.inf, -math.inf, 5e-324, 0.1, "\ud800é", ..., NotImplemented, ()]
)
def test_other_values_come_back(value):
    back = through(value)
    assert back == value and type(back) is type(value)


def test_what_equals_nothing_or_looks_the_same():
    assert math.isnan(through(math.nan))
    assert math.copysign(1, through(-0.0)) == -1


def test_an_example_by_hand():
    assert encode((5, "ab")) == b"t2:i1:5u2:ab"
    assert encode((None, 1.5, -31)) == b"t3:N0:f20:0x1.8000000000000p+0i3:-1f"


def test_without_an_end_there_is_immutable_plain_data_only():
    with pytest.raises(WireError, match="values of type Fraction cannot be sent"):
        encode((Fraction(1, 2),))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i",
        b"i1:",
        b"i3:xyz",
        b"i-1:5",
        b"t-1:",
        b"t2:N0:",
        b"N0:N0:",
        b"Q1:a",
        b"u1:\xff",
        b"f3:xyz",
        b"z1:l2:i1:1t0:",
        b"y1:9",
        b"y2:-1",
        b"o1:9",
        b"h1:9",
        b"c6:system",
        b"c13:builtins:eval",
        b"c9:os:system",
        b"x1:N0:",
        b"x2:u9:os:systemt1:u4:true",
        b"x2:u14:builtins:ranget1:u1:a",
        b"x2:l2:i1:1t0:t0:",
        b"l1:i1:1",
        b"l2:u1:at0:",
        b"t2:l2:i1:1t0:l2:i1:1t0:",
        b"d3:i1:1t0:i1:2",
        b"K7:i1:1u0:u0:u0:N0:t1:i1:1c15:builtins:object",
        b"m2:u1:ac15:builtins:object",
        b"n3:i1:1c12:builtins:inti1:1",
        b"e5:N0:c12:builtins:intt0:t0:N0:",
        b"e5:N0:c20:builtins:ValueErrort0:t0:i1:1",
        b"t1:" * 10_000,
        b"t99999999999999999999:",
        b"999999999999999999999999999999",
    ],
)
def test_what_is_no_value_is_refused(data):
    with pytest.raises(WireError):
        decode(data, two_ends()[0])


@given(st.binary())
def test_any_bytes_are_a_value_or_refused(data):
    try:
        decode(data, two_ends()[0])
    except WireError:
        pass


def test_names_of_what_is_in_a_module():
    assert located("builtins:str.upper") is str.upper and located("math:") is math
    assert loaded("math:pi") == math.pi
    assert loaded("math:tau_and_more") is None and loaded("turtle:Turtle") is None
    assert full_name(WireError) == "semalign.sandbox.inside.wire:WireError"


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
