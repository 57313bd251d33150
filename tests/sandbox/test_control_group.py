"""Control groups: what they limit where they can be had, where they are looked for, and that none is left behind."""

import os
import subprocess
import sys

import pytest

from semalign.sandbox import control_group as groups
from semalign.sandbox import run_tests
from semalign.sandbox.control_group import control_group, descendants

FILL = "import sys; sys.stdin.read(1); filled = b'x' * (300 * 2**20); print(len(filled))"
needs_groups = pytest.mark.skipif(not groups.places(), reason="no control group can be made here")


def left():
    groups.remove_used()
    return [group for place in groups.places() for group in place.glob(f"semalign-{os.getpid()}-*")]


def fill(command):
    """Let a process in a group of 64 MB and the slack write to 300 MB; return its exit code."""
    with control_group(64 * 2**20) as join:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        join(process.pid)
        process.communicate(b"x")
        return process.returncode


@needs_groups
def test_a_group_bounds_the_memory_of_a_process_and_of_its_children(monkeypatch):
    assert fill([sys.executable, "-c", FILL]) == 0
    monkeypatch.setattr(groups, "SLACK", 64 * 2**20)
    assert fill([sys.executable, "-c", FILL]) == -9
    assert left() == []


@needs_groups
def test_a_program_is_in_a_group_and_no_group_is_left(monkeypatch):
    seen = []
    made = groups._made
    monkeypatch.setattr(groups, "_made", lambda *place: seen.append(made(*place)) or seen[-1])
    assert run_tests("def f(): return 1", "assert f() == 1").passed
    assert len(seen) == len(groups.places()) and left() == []


@needs_groups
def test_groups_of_processes_that_are_gone_are_removed():
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    place = groups.places()[0]
    (stale := place / f"semalign-{int(process.stdout)}-0").mkdir()
    assert groups._usable(place) and not stale.exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("4:memory:/a/b", ["memory/a/b"]),
        ("8:pids:/", []),
        ("3:cpuset:/", []),
        ("0::/user.slice/app.slice/x.scope", ["user.slice/app.slice"]),
        ("0::/", [""]),
        ("0::/../../x", []),
    ],
)
def test_groups_are_made_where_they_can_have_limits(line, expected):
    assert groups._places(line) == [groups.ROOT / part for part in expected]


def test_a_place_without_limits_or_without_permission_is_not_used(tmp_path):
    (tmp_path / "semalign-of-somebody").mkdir()
    assert not groups._usable(tmp_path)  # a folder that is no control group
    assert [path.name for path in tmp_path.iterdir()] == ["semalign-of-somebody"]
    assert not groups._usable(tmp_path / "absent")


def test_without_groups_programs_run_all_the_same(monkeypatch):
    monkeypatch.setattr(groups, "places", lambda: ())
    assert run_tests("def f(): return 1", "assert f() == 1").passed


def test_descendants_are_children_and_their_children():
    shell = subprocess.Popen(["sh", "-c", "sh -c 'sleep 30; true' & wait"], stdout=subprocess.PIPE)
    try:
        found = []
        while len(found) < 3:  # the shells and sleep
            found = descendants(shell.pid)
        assert found[0] == shell.pid and len(set(found)) == 3
    finally:
        for process in reversed(found):
            subprocess.run(["kill", str(process)], check=False)
        shell.wait()
