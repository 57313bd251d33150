"""Modules in a user's own files: imported from the source as it is now, and not kept when their code raises."""

import sys

import pytest

from semalign.own_modules import import_file

NAME = "semalign_test_own_module"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # what a user's Python does
    yield
    sys.modules.pop(NAME, None)


def test_a_change_of_the_same_size_in_the_same_second_is_seen(tmp_path):
    path = tmp_path / "mine.py"
    for number in range(5):
        path.write_text(f"VALUE = {number}\n")
        assert import_file(NAME, path).VALUE == number
        assert sys.modules[NAME].VALUE == number


def test_nothing_is_written_beside_the_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("VALUE = 1\n")
    module = import_file(NAME, path)
    assert (module.__file__, module.__name__) == (str(path), NAME)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("code", ["raise KeyboardInterrupt", "raise SystemExit(1)", "1 / 0", "def"])
def test_a_module_that_raises_is_not_kept(tmp_path, code):
    path = tmp_path / "mine.py"
    path.write_text(f"{code}\n")
    with pytest.raises((KeyboardInterrupt, SystemExit, ZeroDivisionError, SyntaxError)):
        import_file(NAME, path)
    assert NAME not in sys.modules
    path.write_text("VALUE = 1\n")
    assert import_file(NAME, path).VALUE == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        import_file(NAME, tmp_path / "absent.py")
    assert NAME not in sys.modules
