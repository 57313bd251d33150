"""Outputs that cannot be written are found before anything is."""

import os
from collections import namedtuple

import pytest

from semalign import outputs
from semalign.outputs import check_file, check_folder


def test_what_can_be_written_is_returned_and_not_made(tmp_path):
    assert check_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert check_file(str(tmp_path / "a" / "b.json")) == tmp_path / "a" / "b.json"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", "  ", "a\0b"])
def test_what_is_no_path_is_told(path):
    """An empty name would be the working folder."""
    with pytest.raises(ValueError, match="the output folder must be a path; it is "):
        check_folder(path)


def test_files_and_folders_are_told_apart(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError, match=r"nothing can be written to .*: .*/file is a file; choose"):
            check_folder(path)
    with pytest.raises(NotADirectoryError, match=r"x\.json: .*/file is a file"):
        check_file(tmp_path / "file" / "x.json")
    with pytest.raises(IsADirectoryError, match="is a folder: give the path of a file"):
        check_file(tmp_path)


def test_a_place_without_permission_is_told():
    with pytest.raises(OSError, match=r"^nothing can be written to /proc/semalign: .*; choose another place$"):
        check_folder("/proc/semalign")


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_folder_of_somebody_else_is_told(tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o555)
    (tmp_path / "theirs").chmod(0o555)
    root = os.geteuid() == 0
    if root:  # modes do not stop root
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match=r"nothing can be written to .*theirs/run: Permission denied"):
            check_folder(tmp_path / "theirs" / "run")
    finally:
        if root:
            os.seteuid(0)


def test_a_disk_without_room_is_told(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(outputs.shutil, "disk_usage", lambda _: usage(3 * 2**20))
    assert check_folder(tmp_path, 3 * 2**20) == tmp_path
    with pytest.raises(OSError, match=r"needs 4 MB, and its disk has only 3 MB free: make room"):
        check_folder(tmp_path, 4 * 2**20)
