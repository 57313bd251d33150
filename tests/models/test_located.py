"""Where a model is looked for by its name, and what is said if it is not there."""

import subprocess
import sys

import pytest

from semalign.models.located import cached_folder, known_models, locate, record_name


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """A checkout without models, and a cache."""
    (tmp_path / "project" / "src" / "semalign").mkdir(parents=True)
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path / "project"))
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder(path):
    path.mkdir(parents=True)
    (path / "config.json").touch()
    return str(path)


def test_a_folder_comes_before_a_model_of_the_project_and_one_of_the_cache(roots):
    fetched = folder(roots / "cache" / "models" / "own-tiny")
    assert locate("own-tiny") == fetched
    shipped = folder(roots / "project" / "data" / "models" / "own-tiny")
    assert locate("own-tiny") == shipped
    folder(roots / "own-tiny")
    assert locate("own-tiny") == str(roots / "own-tiny")


def test_a_folder_with_one_gguf_file_stands_for_it(roots):
    (roots / "quantised").mkdir()
    with pytest.raises(FileNotFoundError, match=r"neither config\.json nor a single \.gguf file"):
        locate(roots / "quantised")
    (roots / "quantised" / "a.gguf").touch()
    assert locate(roots / "quantised") == str(roots / "quantised" / "a.gguf")
    (roots / "quantised" / "b.gguf").touch()
    with pytest.raises(FileNotFoundError, match="holds no model"):
        locate(roots / "quantised")
    (roots / "quantised" / "config.json").touch()
    assert locate(roots / "quantised") == str(roots / "quantised")


def test_what_has_the_form_of_a_hub_id_is_one_and_other_names_are_an_error(roots):
    assert locate("someone/model") == "someone/model"
    for name in ("model", "./someone", "/someone/model", "a/b/c", "~/model"):
        with pytest.raises(FileNotFoundError, match="`semalign fetch NAME` gets smollm2-135m or gemma3-270m"):
            locate(name)


def test_the_nearest_known_model_is_proposed_and_a_known_one_can_be_fetched(roots):
    folder(roots / "project" / "data" / "models" / "own-tiny")
    assert known_models() == ["gemma3-270m", "own-tiny", "smollm2-135m"]
    with pytest.raises(FileNotFoundError, match=r"^no model 'own-tyni', did you mean 'own-tiny'\?$"):
        locate("own-tyni")
    with pytest.raises(FileNotFoundError, match=r"^no model 'smollm2-135m' on this machine: `semalign fetch smoll"):
        locate("smollm2-135m")


def test_records_name_a_model_by_the_last_part_of_where_it_is(roots):
    folder(roots / "project" / "data" / "models" / "own-tiny")
    (roots / "quantized").mkdir()
    (roots / "quantized" / "a.Q4.gguf").touch()
    names = "own-tiny", "someone/model-2.5", roots / "quantized", f"{roots}/project/data/models/own-tiny/"
    assert [record_name(name) for name in names] == ["own-tiny", "model-2.5", "a.Q4", "own-tiny"]


def test_the_files_of_a_model_are_in_its_folder_or_nowhere(roots):
    assert str(cached_folder(folder(roots / "own"))) == str(roots / "own")
    (roots / "a.gguf").touch()
    assert cached_folder(roots / "a.gguf") is None and cached_folder("nobody/nothing") is None


def test_where_a_model_is_needs_no_model_library():
    script = "import sys, semalign.models.located; print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "set()\n"


def test_a_path_that_does_not_exist_is_not_taken_for_a_misspelt_name(roots):
    with pytest.raises(FileNotFoundError, match=r"^no model '/nowhere/own-tyni': it is not a folder"):
        locate("/nowhere/own-tyni")
