"""How objects are numbered and classes described."""

import json
import unittest

import pytest
from helpers.ends import through, two_ends

from semalign.sandbox.inside.classes import Objects, data_type
from semalign.sandbox.inside.wire import WireError, decode, encode


def test_numbers_count_up_and_equal_objects_are_two():
    objects = Objects()
    one, other = [1], [1]
    assert [objects.refer(value) for value in (one, other, one)] == [0, 1, 0]
    assert objects.resolve(0) is one and objects.resolve(1) is other
    assert objects.has(one) and not objects.has([1])
    with pytest.raises(WireError, match="negative"):
        objects.resolve(-1)


class Base:
    """Text."""

    def __len__(self):
        return 3

    __hash__ = None


class Derived(Base, list):
    pass


def test_a_class_is_described_once_with_its_bases():
    tests, program = two_ends()
    data = encode((Base, Derived, Base), program)
    assert data.count(b"4:Base") == 2 and data.count(b"__len__") == 1 and b"__hash__" not in data
    base, derived, again = decode(data, tests)
    assert base is again and issubclass(derived, base) and issubclass(derived, list)
    assert (base.__name__, base.__doc__, base.__module__) == ("Base", "Text.", Base.__module__)


def test_a_class_goes_back_as_itself():
    tests, program = two_ends()
    there = decode(encode(Base, program), tests)
    assert decode(encode(there, tests), program) is Base


def test_the_type_of_plain_data_that_a_class_extends():
    assert data_type(Derived) is list and data_type(bool) is int and data_type(Base) is None


def test_an_error_of_a_module_that_both_ends_have_is_that_error():
    assert through(json.JSONDecodeError) is json.JSONDecodeError
    assert through(unittest.SkipTest) is not unittest.SkipTest  # would be a way to leave a test out


def test_what_was_not_sent_is_described_again():
    tests, program = two_ends()
    with pytest.raises(RecursionError):
        program.send(Base, _deep())
    assert decode(encode(Base, program), tests).__name__ == "Base"
    assert program.changes() == []


def _deep():
    value = ()
    for _ in range(10_000):
        value = (value, [])
    return value
