"""Values and types of the standard library: each comes back equal and of its own type."""

import datetime as dt
import ipaddress
import pathlib
import re
import statistics
import string
import time
import uuid
import zoneinfo
from collections import ChainMap, Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from helpers.ends import through, two_ends

from semalign.sandbox.inside.values import ARGUMENTS, name_of_type, name_of_value
from semalign.sandbox.inside.wire import decode, encode

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
VALUES = [
    range(1, 9, 3),
    slice(1, None, 2),
    complex(1, -0.0),
    memoryview(b"ab"),
    {"a": 1}.keys(),
    {"a": 1}.items(),
    ChainMap({"a": 1}, {"b": 2}),
    dt.date(2024, 2, 29),
    dt.time(1, 2, 3, 4, tzinfo=dt.UTC),
    dt.time(1, 30, fold=1),
    dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
    dt.timedelta(-1, 2, 3),
    dt.timezone(dt.timedelta(hours=2), "here"),
    dt.UTC,
    Decimal("0.10"),
    Decimal("-Infinity"),
    Fraction(1, 3),
    ipaddress.ip_address("10.0.0.1"),
    ipaddress.ip_address("::1"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("2001:db8::/32"),
    ipaddress.ip_interface("10.0.0.1/8"),
    ipaddress.ip_interface("::1/64"),
    pathlib.PurePosixPath("/a/b"),
    pathlib.PosixPath("a"),
    pathlib.PureWindowsPath("c:/a"),
    re.compile("(a)b", re.IGNORECASE),
    re.compile(b"a"),
    statistics.NormalDist(1, 2),
    time.struct_time(range(9)),
    uuid.UUID(int=5),
    BERLIN,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back(value):
    back = through(value)
    assert back == value and type(back) is type(value) and repr(back)[:9] == repr(value)[:9]
    assert getattr(back, "fold", 0) == getattr(value, "fold", 0)


def test_the_list_above_is_complete():
    listed = {name_of_value(value) for value in VALUES}
    assert set(ARGUMENTS) - listed == {"builtins:dict_values", "string:Template"}  # which equal only themselves
    assert list(through({"a": [1]}.values())) == [[1]]
    assert through(string.Template("$a")).substitute(a=1) == "1"


def test_a_view_follows_its_dict():
    tests, program = two_ends()
    table = {"a": 1}
    there, keys = decode(encode((table, table.keys()), program), tests)
    there["b"] = 2
    assert keys == {"a", "b"}


def test_a_class_that_only_says_so_is_none():
    class Fake:
        numerator = denominator = 1

    Fake.__module__, Fake.__qualname__ = "fractions", "Fraction"
    assert name_of_value(Fake()) == "" and name_of_type(Fake) == ""
    assert through(Fake()) != Fraction(1, 1)


@pytest.mark.parametrize("kind", [int, object, ValueError, type(None), type(...), dt.date, Counter, Decimal, dict, zip])
def test_types_come_back_by_name(kind):
    assert through(kind) is kind


def test_only_the_program_believes_any_name():
    tests, program = two_ends()
    assert decode(b"c9:os:getcwd", program) is __import__("os").getcwd
    with pytest.raises(ValueError, match="no type"):
        decode(b"c9:os:getcwd", tests)
