"""Tensors on disk come back as they were or not at all, and fingerprints heed every byte."""

import pytest
import torch
from helpers.damage import damaged
from safetensors.torch import load_file, save_file

from semalign.files import DamagedFileError
from semalign.tensor_files import kept_tensors, read_tensors, tensor_fingerprint, write_tensors


def names(folder):
    return sorted(path.name for path in folder.iterdir())


TENSOR = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "other",
    [
        {"b": TENSOR},
        {"a": TENSOR.reshape(4)},
        {"a": TENSOR.T},
        {"a": TENSOR.double()},
        {"a": TENSOR.view(torch.int32)},
        {"a": TENSOR + torch.tensor([[0, 0], [0, 1e-6]])},
        {"a": TENSOR, "b": TENSOR},
    ],
    ids=["name", "shape", "order", "precision", "type", "one value", "one more"],
)
def test_a_fingerprint_of_tensors_heeds(other):
    assert tensor_fingerprint(other) != tensor_fingerprint({"a": TENSOR})


def test_a_fingerprint_of_tensors_heeds_neither_the_layout_in_memory_nor_the_order_of_names():
    assert tensor_fingerprint({"a": TENSOR.T.contiguous().T}) == tensor_fingerprint({"a": TENSOR})
    both = {"a": TENSOR, "b": 2 * TENSOR}
    assert tensor_fingerprint(dict(reversed(both.items()))) == tensor_fingerprint(both)
    assert tensor_fingerprint({"a": TENSOR.to(torch.bfloat16)})  # a type that numpy does not have


CONTENT = {"a": TENSOR, "b": torch.arange(3)}, {"losses": [{"x": 0.1, "a": 1e-30}], "names": ["ä", "\ud800", ""]}


def test_tensors_and_notes_come_back_as_they_were(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    write_tensors(path, {"a": TENSOR.T, "b": CONTENT[0]["b"]}, CONTENT[1])
    tensors, notes = read_tensors(path)
    assert tensors.keys() == {"a", "b"} and torch.equal(tensors["a"], TENSOR.T) and notes == CONTENT[1]
    assert list(notes["losses"][0]) == ["x", "a"] and names(path.parent) == ["a.safetensors"]
    assert torch.equal(load_file(path)["a"], TENSOR.T)  # it is an ordinary file of that kind
    assert kept_tensors(path)[1] == notes


def test_equal_tensors_give_equal_bytes(tmp_path):
    for name in "abcdefgh":
        write_tensors(tmp_path / name, *CONTENT)
    assert len({(tmp_path / name).read_bytes() for name in "abcdefgh"}) == 1


def test_no_other_byte_goes_unnoticed(tmp_path, caplog):
    path = tmp_path / "a.safetensors"
    write_tensors(path, *CONTENT)
    count = 0
    for what in damaged(path):
        count += 1
        caplog.clear()
        with pytest.raises(DamagedFileError, match=f"^{path} is damaged or .*: make it again$"):
            pytest.fail(f"{what}: {read_tensors(path)}")
        assert kept_tensors(path) is None and str(path) in caplog.text, what
    assert count > 700 and read_tensors(path)


def test_other_files_are_refused_by_name_and_no_file_is_no_damage(tmp_path, caplog):
    path = tmp_path / "a.safetensors"
    for content in ({}, {"semalign": "[]"}, {"semalign": "{}"}, {"semalign": "no"}):
        save_file({"a": TENSOR}, path, metadata=content)
        with pytest.raises(DamagedFileError, match=str(path)):
            read_tensors(path)
    assert kept_tensors(tmp_path / "none") is None
    with pytest.raises(FileNotFoundError, match="none"):
        read_tensors(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        read_tensors(tmp_path)
    assert kept_tensors(tmp_path) is None and "cannot be read (Is a directory): made anew" in caplog.text
