"""Files that appear whole or not at all, and fingerprints that change with every byte that counts."""

import hashlib
import json
import os

import pytest

from semalign import files
from semalign.files import (
    DamagedFileError,
    atomic_path,
    file_sha256,
    json_fingerprint,
    keep_json,
    kept_json,
    moved_into,
    read_json,
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


def test_json_that_is_kept_comes_back_and_damage_is_found(tmp_path, caplog):
    path = tmp_path / "below" / "a.json"
    assert kept_json(path) is None
    keep_json(path, {"scores": [1.5, 2]})
    assert kept_json(path) == {"scores": [1.5, 2]} and not caplog.text
    for damaged in (path.read_text().replace("1.5", "1.6"), "{", "[1]"):
        path.write_text(damaged)
        assert kept_json(path) is None and "a.json is damaged" in caplog.text
        caplog.clear()
    assert kept_json(path.parent) is None and "below cannot be read (Is a directory): made anew" in caplog.text
    path.unlink()
    path.parent.rmdir()
    path.parent.touch()  # a file in the place of the folder
    assert kept_json(path) is None
