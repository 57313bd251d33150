"""Modules in a user's own files: imported from the source as it is now, and not kept when their code raises."""

import sys

import pytest

from semalign.own_modules import import_file, imported, raised_at

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


def test_the_line_that_raised_is_found_through_libraries_and_not_through_semalign(tmp_path):
    path = tmp_path / "mine.py"
    text = "import json\nfrom semalign.registry import lookup\n\ndef of_a_library():\n    json.loads('{')\n\n"
    path.write_text(text + "def of_semalign():\n    lookup('math:nothing')\n")
    module = import_file(NAME, path)
    assert imported()[str(path)] == NAME
    with pytest.raises(ValueError, match="Expecting property name") as told:
        module.of_a_library()
    assert raised_at(told.value, imported()) == (str(path), 5, "json.loads('{')")
    assert raised_at(told.value, {}) is None
    with pytest.raises(AttributeError) as other:
        module.of_semalign()
    assert raised_at(other.value, imported()) is None
