"""The program's process without a process: what it answers to the requests of its tests."""

import sys

import pytest
from helpers.ends import connected

from semalign.sandbox.inside.peer import Broken


def test_names_are_those_of_the_program():
    with connected("x = 1\ny = [2]") as peer:
        assert peer.ask("name", "x") == 1 and peer.ask("name", "y") == [2]
        with pytest.raises(KeyError, match="'b'"):
            peer.ask("name", "b")
        with pytest.raises(KeyError):
            peer.ask("eval", "1")  # no operation of ours


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("1 / 0", ZeroDivisionError, "division by zero"),
        ("def f(:", SyntaxError, "invalid syntax"),
        ("raise SystemExit(0)", Broken, "^$"),
    ],
)
def test_what_stops_it_is_raised(source, error, text):
    with pytest.raises(error, match=text), connected(source):
        pass


def test_a_name_that_gets_another_value_is_reported():
    source = "n = 0\nm = 0\ndef f():\n    global n\n    n += 1"
    with connected(source) as peer:
        changed = []
        peer.rebound = changed.append
        assert peer.ask("name", "n") == 0 and peer.ask("name", "m") == 0
        f = peer.ask("name", "f")
        f()
        f()
        assert changed == ["n"] and peer.ask("name", "n") == 2


def test_a_name_that_is_imported_from_its_module():
    with connected("from datetime import datetime\nimport time\ncopy = 3") as peer:
        assert [peer.ask("imports", name) for name in ("datetime", "time", "copy", "glob")] == [
            True,
            False,
            False,
            False,
        ]


def test_patches_are_made_and_taken_back():
    with connected("import sys\ndef f(): return sys.flags_of_mine") as peer:
        sys.flags_of_mine = 1
        try:
            f = peer.ask("name", "f")
            peer.ask("patch", "sys", "flags_of_mine", 5)
            assert f() == 5
            peer.ask("patch", "sys", "flags_of_mine")
            assert f() == 1
            assert peer.ask("library", "math:hypot", 3, 4) == 5
        finally:
            del sys.flags_of_mine
