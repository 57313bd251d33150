"""Shared containers: one object for both ends."""

import pytest
from helpers.ends import connected, through, two_ends
from hypothesis import given
from hypothesis import strategies as st

from semalign.sandbox.inside.heap import Heap
from semalign.sandbox.inside.wire import WireError, decode, encode

SCALARS = st.none() | st.integers() | st.text()
TREES = st.recursive(SCALARS, lambda x: st.lists(x) | st.dictionaries(st.integers(), x) | st.tuples(x), max_leaves=20)


@given(TREES)
def test_nested_containers_come_back(value):
    assert repr(through(value)) == repr(value)


def test_an_example_by_hand():
    _, program = two_ends()
    kept = [5]
    assert encode((kept, kept), program) == b"t2:l3:i1:1t0:i1:5h1:1"


def test_one_object_stays_one_and_goes_back_as_itself():
    tests, program = two_ends()
    row = [0]
    first, second = decode(encode([row, row], program), tests)
    assert first is second
    assert decode(encode(first, tests), program) is row


def test_a_list_may_hold_itself():
    value = []
    value.append(value)
    back = through(value)
    assert back[0] is back


def test_changes_are_what_differs_and_travel_once():
    heap = Heap(0)
    value, other = [1], {}
    for tag, each in (("l", value), ("d", other)):
        heap.keep(heap.add(tag, each))
    assert heap.changes() == []
    value.append(2)
    assert heap.changes() == [(0, (1, 2))]
    assert heap.changes() == []


def test_a_change_fills_the_same_object():
    heap = Heap(0)
    value = [1]
    heap.keep(heap.add("l", value, 7))
    heap.apply(7, (3, 4))
    assert value == [3, 4] and heap.changes() == []
    with pytest.raises(WireError, match="no container 8"):
        heap.apply(8, ())


def test_what_nobody_holds_is_forgotten_after_its_last_change():
    heap = Heap(0)
    value = [[1]]
    heap.keep(heap.add("l", value[0]))
    heap.keep(heap.add("l", value))
    value[0].append(2)
    del value
    assert heap.changes() == [(0, (1, 2)), (2, None)]
    assert heap.changes() == [(0, None)]
    assert heap.number([]) is None


PROGRAM = """
kept = []
def keep(x, *, also=None): kept.append(x); x.append(len(kept)); also and also['x'].append(0)
def last(): return kept[-1]
def fail(x):
    x.append('seen')
    raise ValueError
"""


def test_two_processes_see_the_same_lists():
    with connected(PROGRAM) as peer:
        keep, last, fail = (peer.ask("name", name) for name in ("keep", "last", "fail"))
        a, b = ["a"], []
        keep(a, also={"x": b})
        assert a == ["a", 1] and b == [0] and last() is a
        a.append(5)
        assert last() == ["a", 1, 5]
        with pytest.raises(ValueError):
            fail(a)
        assert a[-1] == "seen"


def test_loops_over_many_lists_do_not_collect_them():
    with connected("def f(x): return [x]") as peer:
        f = peer.ask("name", "f")
        for i in range(50):
            assert f([i]) == [[i]]
        assert len(peer.heap._values) < 8
