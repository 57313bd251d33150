"""What a process gives up, step by step."""

import subprocess
import sys

import pytest

from semalign.sandbox.inside import confinement

STEPS = ("own_mounts", "mount_tmpfs", "_become", "drop_capabilities", "hide_memory", "die_with", "limit_threads",
         "restrict_paths", "_watch", "filter_calls", "start_guard")  # fmt: skip


@pytest.fixture
def taken(monkeypatch):
    steps = []
    for step in STEPS:
        monkeypatch.setattr(confinement, step, lambda *_, step=step, **__: steps.append(step))
    monkeypatch.setattr(confinement.os, "chdir", lambda path: steps.append(f"in {path}"))
    monkeypatch.setattr(confinement, "filter_program", lambda *_, writes: steps.append(f"writes: {writes}"))
    return steps


KERNEL = ["drop_capabilities", "hide_memory"]


@pytest.mark.parametrize(
    ("mechanism", "steps"),
    [
        (
            "namespaces",
            ["own_mounts", "mount_tmpfs", "in /tmp", *KERNEL, "limit_threads", "writes: True", "filter_calls"],
        ),
        ("landlock", [*KERNEL, "die_with", "restrict_paths", "writes: True", "filter_calls"]),
        ("filter", [*KERNEL, "die_with", "writes: False", "filter_calls", "start_guard"]),
        ("guard", [*KERNEL, "die_with", "start_guard"]),
    ],
)
def test_each_mechanism_takes_its_steps(monkeypatch, taken, mechanism, steps):
    monkeypatch.setattr(sys, "platform", "linux")
    confinement.confine(mechanism, None, 1, ())
    assert taken == steps


@pytest.mark.parametrize(
    ("mechanism", "steps"),
    [
        ("namespaces", ["writes: True", "filter_calls"]),
        ("landlock", ["restrict_paths", "writes: True", "filter_calls"]),
        ("filter", ["writes: False", "filter_calls"]),
        ("guard", []),
    ],
)
def test_what_the_process_of_a_case_gives_up(taken, mechanism, steps):
    confinement.seal(mechanism, ())
    assert taken == steps


@pytest.mark.parametrize(
    ("mechanism", "steps"), [("namespaces", ["hide_memory"]), ("landlock", ["hide_memory", "die_with"])]
)
def test_a_process_that_forks_keeps_its_rights_and_hides(monkeypatch, taken, mechanism, steps):
    monkeypatch.setattr(sys, "platform", "linux")
    confinement.settle_worker(mechanism, 1)
    assert taken == steps


def test_without_linux_a_guard_and_a_watch(monkeypatch, taken):
    monkeypatch.setattr(sys, "platform", "darwin")
    confinement.confine("guard", None, 1, ())
    assert taken == ["_watch", "start_guard"]


def test_threads_are_limited_where_the_user_is_only_for_the_program(monkeypatch, taken):
    monkeypatch.setattr(confinement.os, "getuid", lambda: 61184)
    confinement.confine("landlock", 61184, 1, ())
    assert taken[0] == "_become" and "limit_threads" in taken


def test_the_watch_ends_a_process_whose_parent_has_ended():
    inner = "import os, time\nfrom semalign.sandbox.inside import confinement\nconfinement._watch(os.getppid())\n"
    inner += "print('x', flush=True)\ntime.sleep(600)"
    outer = f"import os, subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {inner!r}], "
    outer += "stdout=subprocess.PIPE)\nchild.stdout.read(1)\nos._exit(0)"
    # It returns when nobody holds the pipe of its errors any more.
    assert subprocess.run([sys.executable, "-c", outer], capture_output=True, timeout=60).returncode == 0
