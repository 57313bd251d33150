"""Where models go, for a process: values are checked in one line, variables come before a profile."""

import os
import subprocess
import sys

import pytest

from semalign.models.placement import VARIABLES, Placement, checked, place, place_unless_set, process_placement, read


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, "")  # put back at the end of the test


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dtype": "half"}, "dtype 'half' is not one of float32, float16, bfloat16, auto"),
        ({"device": "gpu"}, "device 'gpu' is not one of cpu, cuda, cuda:N, xpu, xpu:N, mps"),
        ({"device": "cuda:x"}, "device 'cuda:x' is not one of"),
        (
            {"device_map": "everywhere"},
            "device_map 'everywhere' is not auto, balanced, balanced_low_0, sequential, or a",
        ),
        ({"device_map": {"": [1]}}, "is not auto, balanced"),
        ({"device_map": {}}, "the device_map is empty"),
        ({"device": "cpu", "device_map": "auto"}, "exclude each other"),
    ],
)
def test_a_wrong_value_is_told_in_one_line_with_those_that_are_allowed(values, message):
    with pytest.raises(ValueError, match=r"\w") as error:
        checked(values)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_texts_are_read_a_map_from_yaml_or_from_a_file(tmp_path):
    assert read(dtype="auto", device=None, device_map=None) == Placement(dtype="auto")
    assert read(device_map="balanced").device_map == "balanced"
    assert read(device_map='{"model": 0, lm_head: cpu}').device_map == {"model": 0, "lm_head": "cpu"}
    (tmp_path / "map.yaml").write_text('"": cuda:1\n')
    assert read(device_map=str(tmp_path / "map.yaml")).device_map == {"": "cuda:1"}
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.yaml with a device map"):
        read(device_map=str(tmp_path / "none.yaml"))


def test_the_placement_of_a_process_is_what_was_set_last(monkeypatch):
    assert process_placement() == Placement()
    place(Placement(dtype="bfloat16", device="cuda:1"))
    assert process_placement() == Placement(dtype="bfloat16", device="cuda:1")
    place(Placement(device_map={"": 0}))
    assert process_placement() == Placement(dtype="bfloat16", device_map={"": 0})
    place(Placement(device="cpu"))
    assert process_placement() == Placement(dtype="bfloat16", device="cpu")
    monkeypatch.setenv("SEMALIGN_DTYPE", "int8")
    with pytest.raises(ValueError, match="the variable SEMALIGN_DTYPE: dtype 'int8' is not one of float32"):
        process_placement()
    monkeypatch.setenv("SEMALIGN_DTYPE", "")
    monkeypatch.setenv("SEMALIGN_DEVICE_MAP", "auto")
    with pytest.raises(ValueError, match="SEMALIGN_DEVICE and SEMALIGN_DEVICE_MAP exclude each other"):
        process_placement()


def test_variables_come_before_what_a_profile_says():
    place(Placement(dtype="float16", device="cpu"))
    place_unless_set(Placement(dtype="bfloat16", device_map="auto"))
    assert process_placement() == Placement(dtype="float16", device="cpu")


def test_a_profile_is_followed_where_no_variable_is_set():
    place_unless_set(Placement(dtype="bfloat16", device_map="auto"))
    assert process_placement() == Placement(dtype="bfloat16", device_map="auto")
    assert os.environ["SEMALIGN_DEVICE_MAP"] == "auto"


def test_a_second_profile_in_a_process_is_followed_too():
    place_unless_set(Placement(dtype="bfloat16", device_map="auto"))
    place_unless_set(Placement(dtype="float16", device="cpu"))
    assert process_placement() == Placement(dtype="float16", device="cpu")
    place(Placement(dtype="float16"))  # now somebody asks for it
    place_unless_set(Placement(dtype="bfloat16"))
    assert process_placement() == Placement(dtype="float16")
    place_unless_set(Placement())
    assert process_placement() == Placement(dtype="float16")


def test_pytorch_is_not_loaded():
    program = "import sys, semalign.models.placement; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
