"""What is kept: shown as it is, and removed where no process uses it."""

import fcntl
import os
import subprocess
import sys
import time

import pytest
import torch
from filelock import FileLock

from semalign.cache_folder import Entry, entries, hold, locked_file, notes_of, remove
from semalign.experiments.work_folder import work_folder, work_path
from semalign.paths import cache_dir
from semalign.targets.store import StateStore


def make(path, size=10, days=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    for each in (path, path.parent):
        os.utime(each, (time.time() - days * 86_400,) * 2)
    return path


@pytest.fixture
def states():
    store = StateStore(cache_dir() / "states", {"model": "abc", "layer": 3}, [2, 1], width=4)
    store.ensure(lambda examples: [torch.zeros(2, 4), torch.zeros(1, 4)])
    return store


def test_every_entry_has_its_size_and_age():
    make(cache_dir() / "heads" / "a.safetensors", 100, days=3)
    make(cache_dir() / "heads" / ".tmp-1-2-3" / "new")
    make(cache_dir() / "runs" / "micro-12" / "sft--0" / "checkpoint", 50, days=2)
    make(cache_dir() / "runs" / "micro-12" / "sft--0.lock", 0)
    found = entries()
    assert [(entry.kind, entry.path.name) for entry in found] == [("heads", "a.safetensors"), ("runs", "sft--0")]
    assert found[0].size == 100 and found[0].days == pytest.approx(3, abs=0.01)
    assert found[1].size >= 50 and found[1].days == pytest.approx(2, abs=0.01)
    assert entries(["states"]) == []


def test_states_say_what_they_were_made_from(states):
    (entry,) = entries(["states"])
    assert notes_of(entry.path)["model"] == "abc" and notes_of(entry.path)["layer"] == 3
    assert notes_of(cache_dir() / "nothing") == notes_of(make(cache_dir() / "heads" / "b")) == {}


def test_states_that_this_process_has_opened_stay_and_those_of_one_that_has_ended_go(states):
    (entry,) = entries(["states"])
    assert not remove(entry) and torch.equal(states[1], torch.zeros(1, 4))
    folder = cache_dir() / "states" / "other"
    script = (
        f"from pathlib import Path; from semalign.cache_folder import hold; hold(Path({str(folder)!r})); input('ok')"
    )
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **ends) as process:
        assert process.stdout.read(2) == b"ok"
        assert not remove(Entry("states", folder, 0, 0)) and folder.is_dir()
        process.communicate(b"\n")
    assert remove(Entry("states", folder, 0, 0)) and not folder.exists()


def test_a_folder_that_is_removed_just_before_it_is_held_is_made_and_held_again(monkeypatch):
    folder = cache_dir() / "states" / "b"
    removed, lock = [], fcntl.flock

    def late(descriptor, kind):
        if not removed and kind == fcntl.LOCK_SH:
            removed.append(remove(Entry("states", folder, 0, 0)))
        lock(descriptor, kind)

    monkeypatch.setattr("semalign.cache_folder.fcntl.flock", late)
    hold(folder)
    assert removed == [True] and folder.is_dir()
    assert not remove(Entry("states", folder, 0, 0)) and folder.is_dir()


def test_a_lock_file_that_is_always_removed_is_given_up_and_one_that_is_taken_is_closed(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    assert locked_file(tmp_path / "a", lambda _: (tmp_path / "a" / ".lock").unlink()) is None

    def taken(descriptor):
        raise BlockingIOError

    with pytest.raises(BlockingIOError):
        locked_file(tmp_path / "a", taken)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_run_in_progress_stays(tmp_path):
    record = tmp_path / "micro" / "sft--0.json"
    with work_folder(record) as folder:
        make(folder / "checkpoint")
        (entry,) = entries(["runs"])
        assert entry.path == work_path(record) and not remove(entry) and folder.is_dir()
        folder.rename(kept := folder.with_name("kept"))
    kept.rename(folder)
    assert remove(entry) and entries(["runs"]) == []
    with FileLock(f"{folder}.lock", timeout=0):  # its lock can be taken again
        pass


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").touch()
    hold(tmp_path / "file" / "below")


def test_a_temporary_folder_is_not_held(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3):
        hold(tmp_path / ".tmp-a-1-b" / str(number))
    assert len(os.listdir("/proc/self/fd")) == before and not (tmp_path / ".tmp-a-1-b").exists()
