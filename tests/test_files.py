"""Files that appear whole or not at all, and fingerprints that change with every byte that counts."""

import hashlib
import json
import os

import pytest
import torch
from torch import nn

from semalign import files
from semalign.files import (
    atomic_path,
    file_sha256,
    json_fingerprint,
    model_fingerprint,
    moved_into,
    tensor_fingerprint,
    write_json,
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


def test_a_fingerprint_of_a_model_heeds_its_buffers():
    model = nn.BatchNorm1d(2)
    before = model_fingerprint(model)
    assert model_fingerprint(model) == before
    model.running_mean[0] = 1
    assert model_fingerprint(model) != before
