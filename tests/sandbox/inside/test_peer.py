"""What tests make of the answers of a program's process: answers written by hand, at the other end of a socket."""

import socket

import pytest

from semalign.sandbox.inside.peer import Broken, Handle, Peer
from semalign.sandbox.inside.wire import encode, frame


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Peer(ours), theirs


def answer(socket, *values):
    for value in values:
        socket.sendall(frame(encode(value, lambda handle: 7)))


def test_a_value_comes_back_and_arguments_change_in_place(ends):
    peer, program = ends
    items, table = [1], {"a": 1}
    answer(program, ("value", 5, {0: [1, 2], 1: {"b": 2}}))
    assert peer.ask("call", items, table) == 5
    assert (items, table) == ([1, 2], {"b": 2})


def test_an_object_is_a_handle_that_equals_itself_only(ends):
    peer, program = ends
    answer(program, ("value", object(), {}), ("value", object(), {}), ("value", 3, {}))
    one, again = peer.ask("name", "a"), peer.ask("name", "a")
    assert isinstance(one, Handle) and one is again and one != 3
    assert one.size == 3  # asks the program


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("ValueError", "no", ValueError, "^no$"),
        ("KeyError", "", KeyError, "^$"),
        ("UnicodeDecodeError", "bad", RuntimeError, "UnicodeDecodeError: bad"),  # takes more than a text
    ],
)
def test_errors_of_the_program_are_raised(ends, name, text, error, message):
    peer, program = ends
    answer(program, ("raise", name, text))
    with pytest.raises(error, match=message):
        peer.ask("call")
    assert peer.broken is None


@pytest.mark.parametrize(
    ("name", "operation", "reason"),
    [
        ("SystemExit", "call", "exit"),
        ("Mine", "call", "error"),
        ("print", "call", "error"),  # a builtin, and no exception
        ("StopIteration", "call", "error"),
    ],
)
def test_errors_that_tests_must_not_catch_break(ends, name, operation, reason):
    peer, program = ends
    answer(program, ("raise", name, "so"))
    with pytest.raises(Broken):
        peer.ask(operation)
    assert peer.broken == (reason, f"{name}: so")


def test_an_iterator_may_end(ends):
    peer, program = ends
    answer(program, ("raise", "StopIteration", ""))
    with pytest.raises(StopIteration):
        peer.ask("next")
    assert peer.broken is None


def test_answers_that_are_none_break_and_the_first_reason_stays(ends):
    peer, program = ends
    answer(program, ("passed", None))
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


def test_tests_give_plain_data_and_own_objects(ends):
    peer, program = ends
    with pytest.raises(TypeError, match="not a function"):
        peer.ask("call", lambda: None)
    other = Handle(peer, 4)
    answer(program, ("value", None, {}))
    peer.ask("call", other)
    assert frame(encode(("call", (object(),), {}), lambda _: 4)) == program.recv(100)
