"""Files that appear whole or not at all, and fingerprints that change with every byte that counts."""

import hashlib
import json
import os

import pytest
import torch
from helpers.damage import damaged
from safetensors.torch import load_file, save_file

from semalign import files
from semalign.files import (
    DamagedFileError,
    atomic_path,
    file_sha256,
    json_fingerprint,
    kept_tensors,
    moved_into,
    read_json,
    read_tensors,
    tensor_fingerprint,
    write_json,
    write_tensors,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert temporary.name == path.name and path.parent in temporary.parents and not path.exists()
    assert path.read_text() == "whole" and names(path.parent) == ["a.txt"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="stopped"), atomic_path(path) as temporary:
        temporary.write_text("ha")
        raise RuntimeError("stopped")
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_folder_replaces_a_folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
        assert names(path) == ["old"]
    assert names(path) == ["new"] and names(tmp_path) == ["model"]


def test_a_file_and_a_folder_do_not_replace_each_other_in_silence(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    message = rf"cannot write {tmp_path}/model: is a directory; choose another place"
    with pytest.raises(IsADirectoryError, match=message):
        write_json(tmp_path / "model", {})
    assert names(tmp_path) == ["model"] and names(tmp_path / "model") == ["old"]


def test_files_move_into_a_folder_whole_and_in_order(tmp_path, monkeypatch):
    folder, moved, replace = tmp_path / "run", [], os.replace
    folder.mkdir()
    (folder / "own").touch()
    monkeypatch.setattr(files.os, "replace", lambda a, b: moved.append(b.name) or replace(a, b))
    with moved_into(folder, ("record", "config")) as temporary:
        for name in ("config", "b", "record", "a"):
            (temporary / name).write_text(name)
        assert names(folder) == [temporary.name, "own"]
    assert moved == ["a", "b", "record", "config"]
    assert names(folder) == ["a", "b", "config", "own", "record"]
    with pytest.raises(RuntimeError), moved_into(folder) as temporary:
        (temporary / "a").write_text("new")
        raise RuntimeError
    assert (folder / "a").read_text() == "a" and len(names(folder)) == 5


def test_json_is_indented_text_with_a_last_line_end(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "ä"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": "ä"\n}\n'
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "a.json", {"b": object()})
    assert json.loads((tmp_path / "a.json").read_text())["b"] == 1


def test_a_file_that_is_not_json_is_refused_by_name(tmp_path):
    path = tmp_path / "a.json"
    for content in (b"", b"{", b"\xff", b'{"a": 1}}'):
        path.write_bytes(content)
        with pytest.raises(DamagedFileError, match=f"^{path} is not JSON: "):
            read_json(path)
    write_json(path, {"a": "ä"})
    assert read_json(path) == {"a": "ä"}


def test_the_sha256_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_fingerprint_of_json_heeds_values_and_not_the_order_of_keys():
    first = json_fingerprint({"a": 1, "b": [1, 2]})
    assert first == hashlib.sha256(b'{"a": 1, "b": [1, 2]}').hexdigest()[:16]
    assert json_fingerprint({"b": [1, 2], "a": 1}) == first
    assert json_fingerprint({"a": 1, "b": [2, 1]}) != first
    assert json_fingerprint({"a": "1", "b": [1, 2]}) != first


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


def test_other_files_are_refused_by_name_and_no_file_is_no_damage(tmp_path):
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
