"""The two ends ask each other."""

import threading

import pytest
from helpers.ends import connected, two_ends

from semalign.sandbox.inside.wire import WireError, encode

PROGRAM = """
def f(g, x): return g(x)
def same(x): return x
def own(g):
    try: return g()
    except KeyError as e: return e.args
def memo(f):
    seen = {}
    def g(n):
        if n not in seen: seen[n] = f(n)
        return seen[n]
    return g
class Node:
    def __init__(self, v): self.v = v
import threading
def threads(g):
    found = []
    made = [threading.Thread(target=lambda i=i: found.append(g(i))) for i in range(5)]
    for t in made: t.start()
    for t in made: t.join()
    return sorted(found)
def big(): return [(),] * 3 + [lambda: 0]
"""


@pytest.fixture(scope="module")
def peer():
    with connected(PROGRAM) as peer:
        yield peer


def test_a_program_calls_the_tests_and_gets_their_errors(peer):
    f, own = peer.ask("name", "f"), peer.ask("name", "own")
    assert f(lambda x: [x, x], 3) == [3, 3]

    def fail():
        raise KeyError("a", 1)

    assert own(fail) == ("a", 1)
    error = type("Mine", (Exception,), {})(5)

    def fail_too():
        raise error

    with pytest.raises(type(error)) as caught:
        own(fail_too)
    assert caught.value is error


def test_an_argument_comes_back_as_itself(peer):
    same = peer.ask("name", "same")
    for value in ("ab" * 3, (1, [2]), 10**20, 0.5, b"xy", frozenset([9]), [1], print, peer.ask("name", "Node"), str):
        assert same(value) is value


def test_calls_inside_each_other_end(peer):
    memo = peer.ask("name", "memo")
    fib = memo(lambda n: n if n < 2 else fib(n - 1) + fib(n - 2))
    assert fib(8) == 21
    deep = memo(lambda n: deep(n + 1))
    with pytest.raises(RecursionError):
        deep(0)
    assert fib(8) == 21  # the channel is as before


def test_threads_of_both_sides_take_turns(peer):
    threads, same = peer.ask("name", "threads"), peer.ask("name", "same")
    assert threads(lambda i: i * i) == [0, 1, 4, 9, 16]
    found = []
    made = [threading.Thread(target=lambda i=i: found.append(same(i))) for i in range(8)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    assert sorted(found) == list(range(8))


def test_what_cannot_be_sent_is_an_error_of_the_call(peer):
    deep = ()
    for _ in range(5000):
        deep = (deep,)
    with pytest.raises(RecursionError):
        peer.ask("name", "same")(deep)
    assert peer.ask("name", "same")(1) == 1


@pytest.mark.parametrize("message", [None, (), (1,), ("value", 1), ("value", 1, (1,)), ("value", 1, ((1, ()),))])
def test_what_is_no_message_is_refused(message):
    tests, _ = two_ends()
    tests._take_frame = lambda: encode(message)
    with pytest.raises(WireError):
        tests.receive()


def test_a_message_by_hand():
    sent = []
    tests, _ = two_ends()
    tests._send_frame = sent.append
    tests.send("value", 5)
    assert sent == [b"\0" * 7 + b"\x12" + b"t3:u5:valuei1:5t0:"]
