"""What tests make of the answers of a program's process: answers written by hand, at the other end of a socket."""

import math
import operator
import socket

import pytest
from helpers.ends import two_ends

from semalign.sandbox.inside.peer import Broken, Peer, _library_name, described
from semalign.sandbox.inside.wire import encode, frame


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Peer(ours), theirs


def answer(socket, *values):
    for value in values:
        socket.sendall(frame(encode((*value, ()), two_ends()[1])))


def test_a_value_comes_back(ends):
    peer, program = ends
    answer(program, ("value", [5]))
    assert peer.ask("call") == [5]


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("a", 1), UnicodeDecodeError("u", b"", 0, 1, "x")])
def test_errors_of_the_program_are_raised(ends, error):
    peer, program = ends
    answer(program, ("raise", error))
    with pytest.raises(type(error)) as raised:
        peer.ask("call")
    assert peer.broken is None and raised.value.args == error.args


@pytest.mark.parametrize(
    ("error", "operation", "reason"),
    [
        (SystemExit("so"), "call", "exit"),
        (KeyboardInterrupt("so"), "call", "error"),
        (type("Mine", (BaseException,), {})("so"), "call", "error"),
        (StopIteration("so"), "call", "error"),
        (StopIteration("so"), "getattr", "error"),
        (StopAsyncIteration("so"), "call", "error"),
    ],
)
def test_errors_that_tests_must_not_catch_break(ends, error, operation, reason):
    peer, program = ends
    answer(program, ("raise", error))
    program.shutdown(socket.SHUT_WR)
    with pytest.raises(Broken):
        peer.ask(operation)
    assert peer.broken is not None and peer.broken[0] in (reason, "gone")


def test_an_iterator_may_end(ends):
    peer, program = ends
    answer(program, ("raise", StopIteration()))
    with pytest.raises(StopIteration):
        peer.ask("special", "__next__")
    assert peer.broken is None


def test_answers_that_are_none_break_and_the_first_reason_stays(ends):
    peer, program = ends
    answer(program, ("passed",))
    with pytest.raises(Broken):
        peer.ask("call")
    program.sendall(frame(b"nonsense"))
    with pytest.raises(Broken):
        peer.ask("call")
    assert peer.broken == ("output", "an answer in the wrong form")


def test_a_program_that_is_gone_breaks(ends):
    peer, program = ends
    program.close()
    with pytest.raises(Broken):
        peer.started()
    assert peer.broken == ("gone", "")


@pytest.mark.parametrize("value", [len, math.sqrt, operator.add, str.upper, math, ValueError, math.floor])
def test_what_the_library_has_is_sent_by_name(value):
    assert _library_name(value)


def test_what_the_tests_have_is_not_in_the_library():
    assert not any(map(_library_name, [lambda: 0, type("A", (), {}), [].append, pytest]))


def test_a_description_survives_a_text_that_fails():
    class BadError(Exception):
        def __str__(self):
            raise ValueError

    assert described(BadError()) == "BadError" and described(KeyError("a")) == "KeyError: 'a'"
