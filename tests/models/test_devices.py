"""The type and the devices that a model is loaded with."""

import pytest
import torch

from semalign import load_model
from semalign.models.devices import Place, chosen_place, usable
from semalign.models.placement import VARIABLES, Placement, place

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def no_gpu_and_no_variables(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, "")


def test_arguments_come_first_then_the_process_then_the_machine():
    assert chosen_place() == Place(torch.float32, CPU, None)
    place(Placement(dtype="bfloat16", device_map={"": "cpu"}))
    assert chosen_place() == Place(torch.bfloat16, None, {"": "cpu"})
    assert chosen_place("float16", "cpu") == Place(torch.float16, CPU, None)
    assert chosen_place(torch.float64, device_map="auto") == Place(torch.float64, None, "auto")


def test_auto_is_the_type_of_the_checkpoint_which_a_cpu_does_not_take_by_itself():
    assert chosen_place("auto").dtype is None
    assert chosen_place(device_map={"": "cpu"}).dtype == torch.float32
    assert chosen_place(device_map="auto").dtype == torch.float32
    assert chosen_place(device_map={"model": "cpu", "lm_head": "disk"}).dtype == torch.float32
    assert chosen_place(device="meta").dtype is None


def test_what_cannot_be_used_is_told_in_one_line():
    for wrong in ("cuda:99", "nowhere", 99):
        with pytest.raises(ValueError, match=f"the device {wrong!r} cannot be used: ") as error:
            chosen_place(device_map={"": wrong})
        assert "\n" not in str(error.value)
    assert usable("cpu") == CPU
    with pytest.raises(ValueError, match="a device or a device_map, not both"):
        chosen_place(device="cpu", device_map="auto")
    for wrong in ("long_name", "Tensor", "half", torch.int8):
        with pytest.raises(ValueError, match="dtype must be auto, float32, float16, bfloat16, or a "):
            chosen_place(wrong)


def test_a_model_is_loaded_as_the_process_says(student, tmp_path, monkeypatch):
    student.model.half().save_pretrained(tmp_path)
    student.tokenizer.save_pretrained(tmp_path)
    assert load_model(tmp_path).model.dtype == torch.float32
    for dtype, expected in (("bfloat16", torch.bfloat16), ("auto", torch.float16)):
        monkeypatch.setenv("SEMALIGN_DTYPE", dtype)
        assert load_model(tmp_path).model.dtype == expected
    assert load_model(tmp_path, dtype=torch.float64).model.dtype == torch.float64
    monkeypatch.setenv("SEMALIGN_DEVICE", "cuda:99")
    with pytest.raises(ValueError, match="'cuda:99' cannot be used"):
        load_model(tmp_path)
