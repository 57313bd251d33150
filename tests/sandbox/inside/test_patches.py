"""What tests replace in the standard library reaches the program."""

import builtins
import dataclasses
import inspect
import io
import random
import sys

import pytest
from helpers.ends import connected

from semalign.sandbox.inside.patches import REMOTE, SHARED, WATCHED, Patches
from semalign.sandbox.inside.peer import Peer
from semalign.sandbox.inside.wire import located


class Recorder(Peer):
    """A program that notes what it is asked for."""

    def __init__(self):
        self.asked = []

    def ask(self, *question, **kwargs):
        self.asked.append(question)
        return "its answer"


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(sys, "stdin", sys.stdin)
    for name in (*SHARED, *REMOTE):
        module, _, short = name.partition(":")
        monkeypatch.setattr(located(f"{module}:"), short, located(name))
    return Recorder()


def test_only_what_changed_is_sent_and_its_own_value_is_given_back(recorder, monkeypatch):
    patches = Patches(recorder)
    patches.send()
    assert recorder.asked == []
    out = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(builtins, "input", len)
        patches.send()
        assert recorder.asked == [("patch", "builtins", "input", len), ("patch", "sys", "stdout", out)]
        patches.send()
        assert len(recorder.asked) == 2
    patches.send()
    assert recorder.asked[2:] == [("patch", "builtins", "input"), ("patch", "sys", "stdout")]


def test_the_tests_have_no_standard_input(recorder):
    Patches(recorder)
    with pytest.raises(EOFError):
        input()


def test_shared_functions_are_called_on_both_sides(recorder):
    Patches(recorder)
    random.seed(3)
    first = random.random()
    assert recorder.asked == [("library", "random:seed", 3)]
    random.seed(3)
    assert random.random() == first


def test_library_functions_of_objects_run_where_the_object_is(recorder):
    with connected("class A: pass") as peer:
        kind = peer.ask("name", "A")
        Patches(recorder)
        assert dataclasses.asdict(kind()) == "its answer"
        assert recorder.asked[0][:2] == ("library", "dataclasses:asdict")
    made = dataclasses.make_dataclass("P", ["x"])(1)
    assert dataclasses.asdict(made) == {"x": 1} and not inspect.iscoroutinefunction(len)


def test_all_names_exist():
    for name in (*WATCHED, *SHARED, *REMOTE):
        located(name)
