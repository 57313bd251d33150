"""Registries: how objects come in, from the package and from folders of a user, and what is said of unknown names."""

import os
import subprocess
import sys

import pytest

from semalign.included import VARIABLE, included_folders
from semalign.registry import Registry, include, load_included, lookup, own_modules, registered_by
from semalign.targets.maps import MAPS


def test_a_registry_finds_what_its_package_registers():
    assert set(MAPS) >= {"semantic", "permuted", "random", "least_squares", "procrustes", "ridge", "learned", "none"}
    assert "semantic" in MAPS
    assert "cosine" not in MAPS
    assert lookup("semalign.targets.maps:MAPS") is MAPS


def test_an_unknown_name_is_an_error_that_lists_the_known():
    registry = Registry("colour", "semalign.targets.maps")
    registry.add("red", 1)
    registry.register("blue")(2)
    with pytest.raises(ValueError, match=r"^no colour 'green': choose from blue, red$"):
        registry["green"]
    assert (list(registry), registry.values(), registry["blue"]) == (["red", "blue"], [1, 2], 2)


def test_a_name_is_taken_once():
    registry = Registry("colour", "semalign.targets.maps")
    registry.add("red", 1)
    with pytest.raises(ValueError, match="there is already a colour 'red'"):
        registry.add("red", 2)


@pytest.mark.slow
def test_a_taken_name_is_told_when_the_file_is_included(tmp_path):
    """In a process of its own, which has imported no method yet."""
    (tmp_path / "mine.py").write_text(
        "from semalign.methods.registry import Method, add_method\nfrom semalign.settings import TrainingSettings\n"
        "add_method(Method('laten', 'control', '', 'mine', TrainingSettings, print))\n"
    )
    script = f"from semalign.registry import include; include({str(tmp_path)!r})"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "mine.py cannot be included: " in told.stderr and "there is already a method 'laten'" in told.stderr


@pytest.mark.slow
def test_a_folder_is_included_once_and_told_to_child_processes(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "mine.py").write_text(
        "import os\nos.environ['COUNT'] = os.environ.get('COUNT', '') + 'x'\n"
        "from semalign.targets.maps import alignment_map\n"
        "@alignment_map('of_a_test', needs='nothing', into='teacher')\n"
        "def make(teacher, student, settings):\n    return None\n"
    )
    monkeypatch.setenv("COUNT", "")
    include(tmp_path)
    include(tmp_path)
    assert os.environ["COUNT"] == "x"
    assert os.environ[VARIABLE] == str(tmp_path)
    settings = "TransferSettings(map='of_a_test', layer_loss='relation')"
    script = f"from semalign.settings import TransferSettings; print({settings}.map)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout.strip() == "of_a_test", told.stderr
    MAPS.forget(own_modules()[str(tmp_path / "mine.py")])


def test_a_file_that_failed_after_registering_can_be_included_once_it_is_mended(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    text = (
        "from semalign.targets.maps import alignment_map\nimport semalign.targets.maps.ridge\n"
        "@alignment_map('half_way', needs='nothing', into='teacher')\n"
        "def make(teacher, student, settings):\n    return None\n"
    )
    (tmp_path / "mine.py").write_text(text + "raise KeyError('later')\n")
    with pytest.raises(ImportError, match=r"mine\.py cannot be included: KeyError: 'later'"):
        include(tmp_path)
    assert "half_way" not in MAPS and "ridge" in MAPS  # which the package registers, whoever imports it first
    (tmp_path / "mine.py").write_text(text)
    include(tmp_path)
    assert "half_way" in MAPS
    module = own_modules()[str(tmp_path / "mine.py")]
    assert registered_by(module) == ["map 'half_way'"]
    MAPS.forget(module)


def test_what_cannot_be_included_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(NotADirectoryError, match="--include takes a folder"):
        include(tmp_path / "nothing")
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    with pytest.raises(ImportError, match=r"broken.py cannot be included: No module named 'no_such_module'"):
        include(tmp_path)


def test_settings_are_light_to_import():
    script = "import sys, semalign.settings; print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout.strip() == "[]", told.stderr


def test_an_installed_distribution_registers_by_an_entry_point(monkeypatch):
    loaded = []

    class EntryPoint:
        def load(self):
            loaded.append("it")

    found = {"semalign": [EntryPoint()]}
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found[group])
    monkeypatch.setenv(VARIABLE, "")
    list(Registry("map of a test", "semalign.targets.maps"))
    assert loaded == ["it"]


MAP = "from semalign.targets.maps import alignment_map\n@alignment_map({name!r}, needs='nothing', into='teacher')\n"
FUNCTION = "def make(teacher, student, settings):\n    return None\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a map of a test, that nothing remembers afterwards."""
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "mine.py").write_text(MAP.format(name="of_a_test") + FUNCTION)
    yield tmp_path
    MAPS.forget(own_modules().get(str(tmp_path / "mine.py"), ""))


def test_a_folder_of_the_variable_and_of_include_is_the_same_by_whatever_path(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv(VARIABLE, ".")
    load_included()
    include(folder)
    include(".")
    assert "of_a_test" in MAPS and os.environ[VARIABLE] == "."


def test_a_folder_that_cannot_be_included_spoils_no_later_look_up(folder):
    (folder / "second.py").write_text("raise KeyError('no')\n")
    with pytest.raises(ImportError, match=r"second\.py cannot be included: KeyError: 'no'"):
        include(folder)
    assert os.environ[VARIABLE] == ""
    assert "map of nobody" not in Registry("map", "semalign.targets.maps")


def test_a_file_may_look_something_up_while_it_is_imported(folder, monkeypatch):
    """The registry of methods is not complete yet, and completing it imports the included folders."""
    look = "from semalign.registry import Registry\nassert not list(Registry('thing', 'semalign.methods.declared'))\n"
    (folder / "mine.py").write_text(MAP.format(name="of_a_test") + FUNCTION + look)
    monkeypatch.setenv(VARIABLE, str(folder))
    load_included()
    assert "of_a_test" in MAPS


def test_of_a_folder_that_fails_nothing_stays_and_once_mended_all_is_there(folder, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    for registered in ("_items", "_owners"):
        monkeypatch.setattr(MAPS, registered, dict(getattr(MAPS, registered)))
    (folder / "a_sound.py").write_text(MAP.format(name="sound_of_a_test") + FUNCTION)
    (folder / "broken.py").write_text("import no_such_module\n")
    for _ in range(2):
        with pytest.raises(ImportError, match=r"broken\.py cannot be included"):
            include(folder)
        assert included_folders() == [] and "sound_of_a_test" not in MAPS
    (folder / "broken.py").unlink()
    include(folder)
    assert "sound_of_a_test" in MAPS and included_folders() == [folder]


def test_a_file_may_look_up_what_another_of_its_folder_registers(folder, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    for registered in ("_items", "_owners"):
        monkeypatch.setattr(MAPS, registered, dict(getattr(MAPS, registered)))
    monkeypatch.setattr(MAPS, "_complete", False)  # as in a new process
    look = "TransferSettings(map='other_of_a_test', layer_loss='relation')"
    (folder / "a_first.py").write_text(f"from semalign.settings import TransferSettings\n{look}\n")
    (folder / "b_second.py").write_text(MAP.format(name="other_of_a_test") + FUNCTION)
    include(folder)
    assert "other_of_a_test" in MAPS


def test_owners_are_the_modules_that_registered_something():
    registry = Registry("colour", "semalign.targets.maps")
    assert registry.owners() == set()
    registry.add("red", 1)
    registry.add("blue", 2)
    (owner,) = registry.owners()
    assert registry.registered_by(owner) == ["colour 'red'", "colour 'blue'"]
    registry.forget(owner)
    assert registry.owners() == set() and "red" not in registry
