"""Files of a user's own: each is imported once, whatever the folder is called, and one that fails can be mended."""

import os
import sys

import pytest

from semalign.included import (
    VARIABLE,
    add_folder,
    import_folder,
    included_code,
    included_folders,
    installed,
)

COUNTING = "import os\nos.environ['COUNT'] += '{}'\n"


@pytest.fixture(autouse=True)
def nothing_included(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("COUNT", "")


def test_folders_are_absolute_however_they_are_given(tmp_path, monkeypatch):
    assert included_folders() == []
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, os.pathsep.join([".", "~", "", str(tmp_path / "link"), "other"]))
    assert included_folders() == [tmp_path, tmp_path, tmp_path, tmp_path / "other"]


def test_a_folder_is_added_once_for_this_process_and_those_started_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "first")
    for _ in range(2):
        add_folder(tmp_path / "second")
    add_folder(tmp_path / "first")
    assert os.environ[VARIABLE] == f"{tmp_path / 'first'}{os.pathsep}{tmp_path / 'second'}"


def test_code_is_hashed_file_by_file(tmp_path):
    (tmp_path / "b.py").write_text("1\n")
    (tmp_path / "a.py").write_text("2\n")
    (tmp_path / "a.yaml").write_text("3\n")
    add_folder(tmp_path)
    first = included_code()
    (tmp_path / "b.py").write_text("2\n")
    assert len(first) == 2 and included_code() == [first[0], first[0]]


def test_files_of_one_name_in_two_folders_are_different_modules(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(COUNTING.format(name))
        import_folder(tmp_path / name)
    assert os.environ["COUNT"] == "onetwo"
    places = {str(tmp_path / name / "mine.py") for name in ("one", "two")}
    assert places <= {getattr(module, "__file__", None) for module in list(sys.modules.values())}


def test_a_file_that_failed_can_be_mended_without_importing_its_neighbours_again(tmp_path):
    (tmp_path / "a_sound.py").write_text(COUNTING.format("x"))
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    for _ in range(2):  # the second attempt names the same fault
        with pytest.raises(ImportError, match=r"broken\.py cannot be included: No module named 'no_such_mod") as error:
            import_folder(tmp_path)
        assert str(error.value.name).startswith("semalign_included_") and str(error.value.name).endswith("_broken")
    (tmp_path / "broken.py").write_text(COUNTING.format("y"))
    import_folder(tmp_path)
    assert os.environ["COUNT"] == "xy"


def test_a_file_that_ends_the_process_is_told_as_one_that_fails(tmp_path):
    (tmp_path / "exits.py").write_text("raise SystemExit\n")
    with pytest.raises(ImportError, match=r"exits\.py cannot be included: SystemExit$"):
        import_folder(tmp_path)


def test_an_import_that_is_stopped_is_no_fault_of_the_file(tmp_path):
    (tmp_path / "long.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        import_folder(tmp_path)
    (tmp_path / "long.py").write_text(COUNTING.format("x"))
    import_folder(tmp_path)
    assert os.environ["COUNT"] == "x"


def test_a_file_that_asks_for_its_folder_while_it_is_imported_is_imported_once(tmp_path):
    """As one does that looks up a name in a registry."""
    again = f"import pathlib, semalign.included as own\nown.import_folder(pathlib.Path({str(tmp_path)!r}))\n"
    (tmp_path / "a.py").write_text(COUNTING.format("a") + again + COUNTING.format("z"))
    (tmp_path / "b.py").write_text(COUNTING.format("b"))
    import_folder(tmp_path)
    assert os.environ["COUNT"] == "abz"


def test_entry_points_are_those_of_the_group_semalign(monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [group])
    assert list(installed()) == ["semalign"]
