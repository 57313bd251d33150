"""The guard of the mode without namespaces: which events of the interpreter it lets pass."""

import os

import pytest

from semalign.sandbox.inside.limits import guard


@pytest.fixture
def hook(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own-not").mkdir()  # its path begins with that of the folder
    return guard(str(tmp_path / "own"))


@pytest.mark.parametrize("event", ["os.fork", "os.system", "subprocess.Popen", "socket.connect", "ctypes.dlopen"])
def test_processes_and_sockets_are_refused(hook, event):
    with pytest.raises(PermissionError, match=f"^{event} is not allowed"):
        hook(event, ())


def test_reading_is_free_and_writing_is_for_the_folder(hook, tmp_path):
    hook("open", ("/etc/passwd", "r", os.O_RDONLY))
    hook("open", ("/etc/passwd", "r", None))
    hook("open", (tmp_path / "own" / "a", "w", os.O_WRONLY | os.O_CREAT))
    hook("open", (3, "w", os.O_WRONLY))
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND):
        with pytest.raises(PermissionError, match="open outside the working folder"):
            hook("open", (tmp_path / "a", "w", flags))


@pytest.mark.parametrize("place", ["own-not/a", "own/../a", "own/link/a", "a"])
def test_no_way_round_leads_out_of_the_folder(hook, tmp_path, place):
    (tmp_path / "own" / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError, match=r"os\.remove outside"):
        hook("os.remove", (os.fsencode(tmp_path / place), -1))


def test_both_ends_of_a_move_are_checked(hook, tmp_path):
    inside, outside = tmp_path / "own" / "a", tmp_path / "a"
    hook("os.rename", (inside, inside, -1, -1))
    for ends in ((inside, outside), (outside, inside)):
        with pytest.raises(PermissionError, match=r"os\.rename outside"):
            hook("os.rename", (*ends, -1, -1))
