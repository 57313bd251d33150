"""A checkout comes first, then what an installed package holds, then the cache."""

from pathlib import Path

import pytest

from semalign import paths
from semalign.included import included_folders
from semalign.models.located import locate
from semalign.sandbox import SandboxError, sandbox_mode

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like a checkout, in which the test runs."""
    (tmp_path / "checkout" / "src" / "semalign").mkdir(parents=True)
    (tmp_path / "checkout" / "pyproject.toml").touch()
    monkeypatch.delenv("SEMALIGN_ROOT", raising=False)
    monkeypatch.delenv("SEMALIGN_DATA", raising=False)
    monkeypatch.chdir(tmp_path / "checkout" / "src")
    return tmp_path / "checkout"


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """What a wheel brings: one model and a data root."""
    (tmp_path / "shipped" / "benchmarks").mkdir(parents=True)
    (tmp_path / "shipped" / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "shipped" / "models" / "tiny" / "config.json").touch()
    monkeypatch.setattr(paths, "PACKED", tmp_path / "shipped")
    return tmp_path / "shipped"


def test_the_checkout_around_the_working_directory_is_the_project(checkout):
    assert paths.project_root() == checkout
    assert paths.results_dir() == checkout / "data" / "results"


def test_elsewhere_it_is_the_checkout_of_the_code(checkout, monkeypatch):
    monkeypatch.chdir(checkout.parent)
    assert paths.project_root() == paths.code_checkout() == ROOT


def test_an_installed_package_works_in_the_working_directory(checkout, monkeypatch):
    monkeypatch.chdir(checkout.parent)
    monkeypatch.setattr(paths, "__file__", str(checkout.parent / "lib" / "site-packages" / "semalign" / "paths.py"))
    assert paths.code_checkout() is None
    assert paths.project_root() == checkout.parent


def test_a_named_root_comes_first(checkout, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(checkout.parent))
    assert paths.project_root() == checkout.parent


def test_a_model_of_the_package_is_found_after_one_of_the_checkout(checkout, packed):
    assert locate("tiny") == str(packed / "models" / "tiny")
    (checkout / "data" / "models" / "tiny").mkdir(parents=True)
    (checkout / "data" / "models" / "tiny" / "config.json").touch()
    assert locate("tiny") == str(checkout / "data" / "models" / "tiny")


def test_data_is_searched_where_it_is_asked_for_then_in_checkout_package_and_cache(checkout, packed, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DATA", "one:two")
    expected = [Path("one"), Path("two"), checkout / "data" / "benchmarks", packed / "benchmarks"]
    assert paths.data_roots() == [*expected, paths.cache_dir() / "data"]


def test_a_checkout_has_nothing_packed(checkout):
    assert paths.data_roots() == [checkout / "data" / "benchmarks", paths.cache_dir() / "data"]
    assert paths.model_roots() == [checkout / "data" / "models", paths.cache_dir() / "models"]


def test_an_empty_variable_is_the_default(checkout, monkeypatch):
    variables = ("SEMALIGN_CACHE", "SEMALIGN_ROOT", "SEMALIGN_DATA", "SEMALIGN_SANDBOX", "SEMALIGN_INCLUDE")
    places = (paths.cache_dir, paths.project_root, paths.data_roots, paths.model_roots, included_folders, sandbox_mode)
    for name in variables:
        monkeypatch.delenv(name, raising=False)
    default = [_result(place) for place in places]
    assert default[0] == Path.home() / ".cache" / "semalign"
    for name in variables:
        monkeypatch.setenv(name, "")
    assert [_result(place) for place in places] == default


def _result(place):
    """Return what a function returns, or what it says when there is no bubblewrap on this machine."""
    try:
        return place()
    except SandboxError as error:
        return str(error)


@pytest.mark.parametrize("home", ["nowhere", "home"])
def test_a_home_that_cannot_be_written_is_spared(tmp_path, monkeypatch, home):
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(paths.os, "environ", {"HOME": str(tmp_path / home), "SEMALIGN_CACHE": str(tmp_path / "cache")})
    monkeypatch.setattr(paths.os.path, "expanduser", lambda path: path.replace("~", str(tmp_path / home)))
    paths.os.environ["IPYTHONDIR"] = "mine"
    paths.spare_home()
    found = {name: paths.os.environ.get(name) for name in ("IPYTHONDIR", "MPLCONFIGDIR")}
    spared = str(tmp_path / "cache" / "libraries" / "matplotlib")
    assert found == {"IPYTHONDIR": "mine", "MPLCONFIGDIR": spared if home == "nowhere" else None}
    assert (tmp_path / "cache").exists() == (home == "nowhere")


def test_without_a_cache_elsewhere_a_home_is_not_spared(tmp_path, monkeypatch):
    monkeypatch.setattr(paths.os, "environ", {"HOME": str(tmp_path / "nowhere"), "SEMALIGN_CACHE": ""})
    paths.spare_home()
    assert "MPLCONFIGDIR" not in paths.os.environ
