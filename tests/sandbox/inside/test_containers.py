from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from types import SimpleNamespace

import pytest

from semalign.sandbox.inside.containers import BUILTIN, KINDS, TAGS

VALUES = {
    "l": [1, [2]],
    "d": {"a": 1, "b": 2},
    "s": {1, 2},
    "B": bytearray(b"ab"),
    "q": deque([1, 2], 5),
    "O": OrderedDict(b=1, a=2),
    "D": defaultdict(list, a=[1]),
    "C": Counter("aab"),
    "S": SimpleNamespace(a=1),
    "a": array("d", [1.5, 2]),
}


@pytest.mark.parametrize("tag", KINDS)
def test_a_container_is_made_and_filled(tag):
    kind, value = KINDS[tag], VALUES[tag]
    made = type(value)(*kind.made_with(value))
    kind.fill(made, kind.parts(value))
    assert made == value and type(made) is type(value) and repr(made) == repr(value)
    kind.fill(made, kind.parts(type(value)(*kind.made_with(value))))
    assert not kind.parts(made) or (kind.raw and kind.parts(made) == [b""])


@pytest.mark.parametrize("tag", KINDS)
def test_what_it_holds_is_the_same_until_it_changes(tag):
    kind, value = KINDS[tag], VALUES[tag]
    before = kind.parts(value)
    assert kind.same(before, kind.parts(value))
    changed = before[:-1] + ([b"\0" * 16] if kind.raw else [object()])
    assert not kind.same(before, changed)


def test_equal_elements_are_not_the_same():
    assert not KINDS["l"].same([[1]], [[1]])


def test_methods_of_a_class_that_extends_one_are_not_called():
    class Liar(list):
        def __iter__(self):
            return iter([4])

    assert KINDS["l"].parts(Liar([1, 2])) == [1, 2]


def test_a_dict_with_the_same_keys_keeps_them_in_place():
    value = {"a": 1, "b": 2}
    for key in value:  # does not fail with "changed size"
        KINDS["d"].fill(value, ["a", 3, "b", key])
    assert value == {"a": 3, "b": "b"}


def test_every_type_has_a_tag():
    assert set(TAGS.values()) == set(KINDS) and {*BUILTIN.values(), "a", "C"} == set(KINDS)
