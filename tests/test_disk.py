"""Temporary folders of their own name, files with the umask's mode, and errors of one line."""

import errno
import json
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.disks import ended_process, file_size_limit
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from semalign import disk
from semalign.disk import WEEK, temporary_folder, write_errors
from semalign.files import atomic_path, moved_into, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_temporary_folder_has_machine_process_and_a_random_part_in_its_name(tmp_path, monkeypatch):
    with temporary_folder(tmp_path) as one, temporary_folder(tmp_path) as two:
        assert one != two and one.is_dir() and two.is_dir()
        assert re.fullmatch(rf"\.tmp-[0-9a-f]{{8}}-{os.getpid()}-[0-9a-f]{{8}}", one.name)
        monkeypatch.setattr(disk.socket, "gethostname", lambda: "another container")
        with temporary_folder(tmp_path) as three:
            assert three.name.split("-")[1] != one.name.split("-")[1]
            assert one.is_dir()  # that process does not run here, but the folder is new
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path, monkeypatch):
    machine, old = disk._machine(), time.time() - 2 * WEEK
    left = [f".tmp-{machine}-{ended_process()}-00000000", ".tmp-ffffffff-1-00000000"]
    kept = [f".tmp-{machine}-{os.getpid()}-00000000", ".tmp-ffffffff-2-00000000", ".tmp-x", ".tmp-a-b-c"]
    for name in left + kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
    os.utime(tmp_path / left[1], (old, old))
    write_json(tmp_path / "a.json", {})
    assert names(tmp_path) == sorted([*kept, "a.json"])


@pytest.mark.parametrize(("umask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_files_and_folders_have_the_mode_that_the_umask_leaves(tmp_path, umask, file_mode, folder_mode):
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "deep" / "a.safetensors") as tensors:
            save_file({"a": torch.ones(1)}, tensors)  # 0600, whatever the umask
        write_json(tmp_path / "deep" / "a.json", {})
        with atomic_path(tmp_path / "model") as model, moved_into(tmp_path / "run") as run:
            model.mkdir()
            for folder in (model, run):
                save_file({"a": torch.ones(1)}, folder / "b.safetensors")
    finally:
        os.umask(before)
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (folder_mode if path.is_dir() else file_mode), path


WRITERS = {
    "text": lambda path: path.write_text("x" * 100_000),
    "safetensors": lambda path: save_file({"a": torch.zeros(100_000)}, path),
    "tokenizers": lambda path: Tokenizer(WordLevel({f"t{i}": i for i in range(9000)}, "t0")).save(str(path)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_write_that_finds_no_room_is_one_line_and_leaves_what_was_there(tmp_path, writer):
    """The system itself refuses the bytes, by a limit on the size of files."""
    path = tmp_path / "a"
    path.write_text("old")
    with file_size_limit(50_000), pytest.raises(OSError) as caught, atomic_path(path) as temporary:
        WRITERS[writer](temporary)
    assert str(caught.value) == f"cannot write {path}: file too large; choose another place"
    assert path.read_text() == "old" and names(tmp_path) == ["a"]


def test_a_full_disk_says_what_to_do(tmp_path, monkeypatch):
    def refused(path):
        with write_errors(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"a: no space left on device; make room there, or choose another disk$"):
        refused(tmp_path / "a")
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path))
    with pytest.raises(OSError, match=r"device; make room there, or let SEMALIGN_CACHE name a folder on another disk$"):
        refused(tmp_path / "states" / "a")


def test_a_place_that_cannot_be_written_keeps_its_kind_of_error(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a.json", tmp_path / "file" / "deep" / "a.json"):
        with pytest.raises(
            (FileExistsError, NotADirectoryError), match=f"^cannot write {path}: .*choose another place"
        ):
            write_json(path, {})
    with pytest.raises(OSError, match=r"^cannot write .*: file name too long; choose another place"):
        write_json(tmp_path / ("a" * 300), {})


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file", "source"),
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/source"),
        ConnectionError("no network"),
        ValueError("NaN"),
    ],
)
def test_other_errors_stay_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as caught, atomic_path(tmp_path / "a"):
        raise error
    assert caught.value is error


PROGRAM = """
import sys
from pathlib import Path
from semalign.files import write_json
for number in range(100_000):
    write_json(Path(sys.argv[1]) / "a.json", [number] * 5000)
"""


@pytest.mark.slow
def test_a_killed_process_leaves_a_whole_file_and_the_next_write_tidies_up(tmp_path):
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path])
        while not (tmp_path / "a.json").exists():
            time.sleep(0.01)
        time.sleep(0.05)
        process.kill()
        process.wait()
        assert len(set(json.loads((tmp_path / "a.json").read_text()))) == 1
    write_json(tmp_path / "a.json", [])
    assert names(tmp_path) == ["a.json"]


def test_the_machine_is_named_the_same_in_every_process():
    program = "from semalign.disk import _machine; print(_machine())"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONHASHSEED": "7", **os.environ}
    )
    assert ran.stdout.strip() == disk._machine()
    assert Path("/proc/self/ns/pid").exists() or sys.platform != "linux"
