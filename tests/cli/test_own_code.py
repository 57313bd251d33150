"""What a user's own code raises is told by its line, and not as an error of semalign."""

import re
import sys

import pytest
from helpers.endings import ended

from semalign.cli.errors import BUG
from semalign.included import VARIABLE
from semalign.registry import include, own_modules
from semalign.targets.maps import MAPS

OWN_CODE = """
import torch
from semalign.registry import lookup
from semalign.targets.maps import alignment_map

@alignment_map("mine_of_a_test", needs="bases")
def mine(teacher, student, settings):
    return 1 / 0

def by_a_library():
    return torch.zeros(2, 3) @ torch.zeros(2, 3)

def unpacked():
    one, two = [1]

def on_purpose():
    raise ValueError("give another map")

def of_semalign():
    return lookup("math:nothing")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return a file of the user's own that has been included."""
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "mine.py").write_text(OWN_CODE)
    include(tmp_path)
    name = own_modules()[str(tmp_path / "mine.py")]
    yield sys.modules[name]
    MAPS.forget(name)


def raised(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error
    raise AssertionError("no error")


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (
            "mine",
            r"mine\.py:8 of your map 'mine_of_a_test' raised ZeroDivisionError: division by zero \(--verbose: more\)",
        ),
        ("by_a_library", r"mine\.py:11 of your map 'mine_of_a_test' raised RuntimeError: mat1 and mat2 .*"),
        ("unpacked", r"mine\.py:14 of your map 'mine_of_a_test' raised ValueError: not enough values to unpack .*"),
    ],
)
def test_what_the_users_own_code_raises_names_its_line(own, function, line, capsys, monkeypatch):
    error = raised(getattr(own, function), *[None] * (3 if function == "mine" else 0))
    status, told = ended(error, capsys, monkeypatch)
    assert status == 1 and re.fullmatch(rf"semalign: .*/{line}\n", told)
    status, told = ended(error, capsys, monkeypatch, "--verbose")
    assert told.startswith("Traceback") and "mine.py" in told


def test_what_it_raises_on_purpose_is_told_as_it_is(own, capsys, monkeypatch):
    assert ended(raised(own.on_purpose), capsys, monkeypatch) == (1, "semalign: give another map\n")


def test_what_semalign_raises_below_it_is_an_error_in_semalign(own, capsys, monkeypatch):
    status, told = ended(raised(own.of_semalign), capsys, monkeypatch)
    assert status == BUG and "this is an error in semalign, please report it: AttributeError at registry.py" in told
