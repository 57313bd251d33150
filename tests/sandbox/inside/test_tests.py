"""The names that tests look up in the program, and the verdict."""

import ast
import datetime
import io
import math
import socket
import sys

import pytest
from helpers.ends import two_ends

from semalign.sandbox.inside.peer import Peer
from semalign.sandbox.inside.tests import Namespace, free_names, verdict
from semalign.sandbox.inside.wire import encode, frame


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("assert f(1) == 2", {"f"}),
        ("def check(candidate):\n    import math\n    x = 1\n    assert candidate(x) < math.pi\ncheck(f)", {"f"}),
        ("import os.path as p, re\nclass A: pass\nassert A and p and re and g", {"g"}),
        ("try:\n    f()\nexcept E as e:\n    assert e", {"f", "E"}),
        ("assert all(f(x) for x in [1])", {"all", "f"}),
    ],
)
def test_free_names(source, names):
    assert free_names(ast.parse(source)) == names


class Program(Peer):
    """A program that answers with the name it is asked for."""

    def __init__(self, imports=False):
        self.asked, self.imports = [], imports

    def ask(self, operation, name, **kwargs):
        if operation == "imports":
            return self.imports
        self.asked.append(name)
        return f"the program's {name}"


@pytest.mark.parametrize(
    ("tests", "name", "found"),
    [
        ("assert f(1) == math.pi", "f", "the program's f"),
        ("assert f(abs(1))", "math", math),  # standard modules and builtins mean themselves
        ("assert sum(1, 2) == 3", "sum", "the program's sum"),  # unless they are all that is asked for
        ("assert math(1)", "math", "the program's math"),
    ],
)
def test_names_come_from_the_program_or_the_standard_library(tests, name, found):
    program = Program()
    names = Namespace(program, ast.parse(tests))
    assert names[name] == found
    assert names[name] == found and program.asked.count(name) == (found != math)  # asked once


def test_a_name_is_asked_for_again_when_the_program_changes_it():
    program = Program()
    names = Namespace(program, ast.parse("assert x == 1"))
    assert names["x"] == names["x"] and program.asked == ["x"]
    program.rebound("x")
    program.rebound("x")
    names["y"] = 2
    program.rebound("y")
    assert names["x"] and program.asked == ["x", "x"] and names["y"] == 2


def test_a_module_may_mean_what_the_program_imports_from_it():
    tests = ast.parse("assert f(datetime(2000, 1, 1))")
    assert Namespace(Program(), tests)["datetime"] is datetime
    assert Namespace(Program(imports=True), tests)["datetime"] is datetime.datetime


def test_a_builtin_is_not_asked_for():
    program = Program()
    with pytest.raises(KeyError, match="abs"):
        Namespace(program, ast.parse("assert f(abs(1))"))["abs"]
    assert program.asked == []


@pytest.mark.parametrize(
    ("tests", "answers", "expected"),
    [
        ("", [("value", None)], ("passed", "")),
        ("assert x == 1", [("value", None), ("value", 1)], ("passed", "")),
        ("assert x == 1, 'so'", [("value", None), ("value", 2)], ("assertion", "AssertionError: so")),
        ("x = 1", [("raise", MemoryError())], ("memory", "MemoryError")),
        ("assert (", [("value", None)], ("error", "SyntaxError: '(' was never closed (<tests>, line 1)")),
        ("try:\n    x\nexcept BaseException:\n    pass", [("value", None), ("passed",)],
         ("output", "an answer in the wrong form")),
    ],
)  # fmt: skip
def test_the_verdict_by_hand(tests, answers, expected, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr("semalign.sandbox.inside.tests.Patches", lambda peer: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for answer in answers:
            theirs.sendall(frame(encode((*answer, ()), two_ends()[1])))
        assert verdict(tests, ours) == expected
