"""The program's process without a process: what it answers to the requests of its tests."""

import sys

import pytest

from semalign.sandbox.inside.program import Objects, Program
from semalign.sandbox.inside.wire import decode, encode


class Reference:
    """An object of the program, as its number."""

    def __init__(self, number):
        self.number = number


def ask(program, operation, *args, **kwargs):
    request = encode((operation, args, kwargs), lambda value: value.number)
    return decode(program.reply(request), Reference)


@pytest.fixture
def program(monkeypatch):
    monkeypatch.delitem(sys.modules, "program", raising=False)
    made = Program()
    yield made
    del sys.modules["program"]


def test_a_program_that_runs_answers_with_nothing(program):
    assert decode(program.run(b"x = 1"), Reference) == ("value", None, {})
    assert ask(program, "name", "x") == ("value", 1, {})


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"1 / 0", ("raise", "ZeroDivisionError", "division by zero")),
        (b"raise SystemExit(0)", ("raise", "SystemExit", "0")),
        (b"def f(:", ("raise", "SyntaxError", "invalid syntax (<program>, line 1)")),
        (b"raise ValueError('x' * 1000)", ("raise", "ValueError", "x" * 300)),
        (b"class E(Exception):\n    def __str__(self): raise self\nraise E", ("raise", "E", "")),
    ],
)
def test_what_stops_it_is_named(program, source, error):
    assert decode(program.run(source), Reference) == error


def test_changed_arguments_are_sent_back_and_unchanged_ones_are_not(program):
    program.run(b"def add(into, given): into.append(given[0]); return len(into)")
    _, function, _ = ask(program, "name", "add")
    assert ask(program, "call", function, [1], [2]) == ("value", 2, {1: [1, 2]})  # number 0 is the function


def test_objects_are_asked_by_number_and_keep_it(program):
    program.run(b"class A:\n    x = 3\n    def __len__(self): return 2\na = A()")
    (_, one, _), (_, again, _) = ask(program, "name", "a"), ask(program, "name", "a")
    assert one.number == again.number
    assert ask(program, "getattr", one, "x") == ("value", 3, {})
    assert ask(program, "len", one) == ("value", 2, {})
    assert ask(program, "name", "b") == ("raise", "KeyError", "'b'")
    assert ask(program, "eval", "1")[:2] == ("raise", "KeyError")  # no operation of ours


def test_numbers_count_up_and_equal_objects_are_two():
    objects = Objects()
    one, other = [1], [1]
    assert [objects.refer(value) for value in (one, other, one)] == [0, 1, 0]
    assert objects.resolve(0) is one and objects.resolve(1) is other
