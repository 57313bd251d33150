"""Where profiles are found, without loading the library."""

import pytest

from semalign.experiments.profile_paths import FOLDER, profile_names, profile_path


def test_a_profile_is_packaged_or_a_file(tmp_path):
    assert "defaults" not in profile_names() and "micro" in profile_names()
    assert profile_path("micro") == FOLDER / "micro.yaml"
    (tmp_path / "mine.yml").write_text("")
    assert profile_path(str(tmp_path / "mine.yml")) == tmp_path / "mine.yml"


@pytest.mark.parametrize("name", ["macro", "", "None", "mine.yaml"])
def test_an_unknown_profile_is_told_with_the_known(name):
    with pytest.raises(FileNotFoundError, match="give a YAML file or one of ablations, coder-plus, llama2, micro"):
        profile_path(name)
