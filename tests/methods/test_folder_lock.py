"""One run has an output folder at a time; its lock ends with it, and leaves nothing."""

import errno
import fcntl
import os
import signal
import time
from inspect import signature

import pytest
from helpers.processes import in_processes

from semalign import cache_folder
from semalign.cache_folder import Entry
from semalign.methods import folder_lock
from semalign.methods.folder_lock import alone, alone_in_output_dir

TAKEN = "another run is writing to {}: wait until it has ended, or choose another output folder"


def in_child(act):
    """Start a copy of this process that does something and then waits; return its number once it has done it."""
    ready, told = os.pipe()
    if (child := os.fork()) == 0:
        try:
            with act():
                os.write(told, b"1")
                time.sleep(60)
        finally:
            os._exit(1)
    os.close(told)
    assert os.read(ready, 1) == b"1"
    os.close(ready)
    return child


def killed(child):
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_folder_that_another_process_has_is_refused_until_that_is_killed(tmp_path):
    child = in_child(lambda: alone(tmp_path))
    try:
        with pytest.raises(OSError, match=f"^{TAKEN.format(tmp_path)}$"), alone(tmp_path):
            pytest.fail("two have it")
    finally:
        killed(child)
    assert (tmp_path / ".lock").is_file()  # a file that nobody has locked
    with alone(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_so_is_one_that_this_process_has(tmp_path):
    with alone(tmp_path), pytest.raises(OSError, match="another run is writing to"), alone(tmp_path):
        pytest.fail("two have it")
    with alone(tmp_path), alone(tmp_path.parent):  # other folders are free
        pass


def test_a_new_folder_goes_again_if_nothing_is_in_it(tmp_path):
    with pytest.raises(KeyError), alone(tmp_path / "a" / "b"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with alone(tmp_path / "a" / "b"), alone(tmp_path / "mine"):
        (tmp_path / "a" / "result").touch()
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "result", "mine"}


def test_the_lock_of_a_run_that_has_just_removed_its_file_is_not_taken_for_one(tmp_path, monkeypatch):
    opened, lock = [], fcntl.flock

    def removed_meanwhile(descriptor, how):
        if not opened:
            (tmp_path / "new" / ".lock").unlink()
        opened.append(descriptor)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    with alone(tmp_path / "new"), pytest.raises(OSError, match="another run is writing"), alone(tmp_path / "new"):
        pytest.fail("two have it")
    assert len(opened) == 3


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path, monkeypatch):
    opening, tried = os.open, []

    def removed_meanwhile(path, *more):
        tried.append(path)
        if len(tried) == 1:
            (tmp_path / "new").rmdir()
        return opening(path, *more)

    monkeypatch.setattr(folder_lock.os, "open", removed_meanwhile)
    with alone(tmp_path / "new"):
        assert (tmp_path / "new" / ".lock").is_file()
    assert len(tried) == 2


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_on_a_disk_without_locks_a_run_is_warned_and_goes_on(tmp_path, monkeypatch, caplog, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with alone(tmp_path):
        pass
    assert f"{tmp_path} cannot be locked" in caplog.text and list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_told_in_one_line(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "denied", str(path))

    monkeypatch.setattr(folder_lock.os, "open", refuse)
    with pytest.raises(PermissionError, match=rf"^cannot write {tmp_path}/\.lock: permission denied; choose"):
        alone(tmp_path).__enter__()


def test_a_run_in_the_cache_is_not_removed_from_it(tmp_path):
    with alone(tmp_path / "cell"):
        assert not cache_folder.remove(Entry("runs", tmp_path / "cell", 0, 0.0))
    (tmp_path / "cell").mkdir()
    assert cache_folder.remove(Entry("runs", tmp_path / "cell", 0, 0.0))


@alone_in_output_dir
def run(text: str, *, output_dir=None):
    """Return what it was given, and what is in the folder meanwhile."""
    return text, None if output_dir is None else [path.name for path in output_dir.iterdir()]


def test_a_function_has_its_output_folder_alone(tmp_path):
    assert run("a") == ("a", None)
    assert run("a", output_dir=tmp_path) == ("a", [".lock"])
    with alone(tmp_path), pytest.raises(OSError, match="another run is writing"):
        run("a", output_dir=tmp_path)
    with pytest.raises(ValueError, match="the output folder must be a path; it is ''"):
        run("a", output_dir="")
    assert run.__doc__.startswith("Return what") and list(signature(run).parameters) == ["text", "output_dir"]


def test_the_processes_of_one_run_share_a_folder(tmp_path):
    assert in_processes(3, lambda: run("a", output_dir=tmp_path)[0]) == ["a"] * 3
    with alone(tmp_path):
        first, second = in_processes(2, lambda: run("a", output_dir=tmp_path))
    assert str(first) == TAKEN.format(tmp_path) and "the first process of this run has stopped" in str(second)
    assert list(tmp_path.iterdir()) == []
