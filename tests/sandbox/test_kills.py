"""Killing the process that runs programs, at any moment: no process is left, and no file."""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

CODE = """
import sys
from semalign.sandbox import run_many
programs = ["import time\\ntime.sleep(60)", "while True:\\n    pass", "def f(): return 1", "open('a', 'w').write('b')"]
tests = ["assert f() == 1", "import time\\ntime.sleep(60)"]
print("started", flush=True)
run_many([(program, test) for program in programs for test in tests] * 9, mode=sys.argv[1], workers=4)
"""
KILLS, AT_ONCE, SPAN = 30, 5, 0.6  # seconds


def command_lines():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().decode(errors="replace")
        except OSError:
            pass


def left(parents):
    return [line for line in command_lines() if any(f"'parent': {parent}" in line for parent in parents)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_a_kill_at_any_moment_leaves_no_process_and_no_folder(mode, tmp_path):
    chance = random.Random(0)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parents = []
    for _ in range(KILLS // AT_ONCE):
        command = [sys.executable, "-c", CODE, mode]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
                   for _ in range(AT_ONCE)]  # fmt: skip
        for process in started:
            process.stdout.readline()
            time.sleep(chance.uniform(0, SPAN))
            process.kill()
            process.communicate()
            assert process.returncode == -9
            parents.append(process.pid)
    deadline = time.monotonic() + 60
    while left(parents) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(parents) == KILLS and left(parents) == []
    assert list(tmp_path.iterdir()) == []
    assert not list(Path(tempfile.gettempdir()).glob("semalign-escaped*"))


def test_the_search_for_processes_finds_one():
    code = "import time\nprint(flush=True)\ntime.sleep(60) #'parent': 123456789"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        assert len(left([123456789])) == 1
    finally:
        process.kill()
        process.communicate()
