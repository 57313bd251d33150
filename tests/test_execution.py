import os
import subprocess
import time
from pathlib import Path

import pytest

from semalign.execution import Outcome, run_many, run_tests

RIGHT = "def double(x):\n    return 2 * x\n"
TESTS = "assert double(2) == 4\nassert double(-1) == -2\n"


def test_a_right_program_passes():
    assert run_tests(RIGHT, TESTS) == Outcome(True, "passed")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def double(x):\n    return x\n", "AssertionError"),
        ("def double(x:\n", "SyntaxError"),
        ("double = 2\n", "TypeError: 'int' object is not callable"),
        ("raise BaseException('no')", "BaseException: no"),
        ("input()", "EOFError"),
        ("import numpy", "ModuleNotFoundError"),
        ("text = 'a' * 10**11", "MemoryError"),
        ("def double(x):\n    return double(x)\n", "RecursionError"),
        ("f = open('big', 'wb', buffering=0)\nwhile True:\n    f.write(b'a' * 10**6)", "OSError: [Errno 27]"),
        ("import os\nfiles = [os.open('/dev/null', os.O_RDONLY) for _ in range(100)]", "OSError: [Errno 24]"),
        ("import os, signal\nsignal.raise_signal(signal.SIGKILL)", "killed by SIGKILL"),
        ("import ctypes", "PermissionError"),
        ("import os\nos.fork()", "PermissionError: os.fork is not allowed"),
        ("import subprocess\nsubprocess.run(['true'])", "PermissionError: subprocess.Popen is not allowed"),
        ("import os\nos.kill(os.getppid(), 15)", "PermissionError: os.kill is not allowed"),
        ("import socket\nsocket.socket()", "PermissionError"),
        ("open('/tmp/semalign-escaped', 'w')", "PermissionError: open outside"),
        ("import os\nos.rename('../x', '../y')", "PermissionError: os.rename outside"),
    ],
)
def test_a_wrong_program_fails_with_its_reason(program, reason):
    outcome = run_tests(program, TESTS)
    assert not outcome.passed
    assert outcome.reason.startswith(reason)


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nsys.exit(0)",
        "import os\nos._exit(0)",
        "raise SystemExit",
        "print('passed')\nimport sys\nsys.stdout.flush()\nimport os\nos._exit(0)",
        "import os\nfor fd in range(3, 9):\n    try:\n        os.write(fd, b'passed')\n"
        "    except OSError:\n        pass\nos._exit(0)",
        "import os\nos.closerange(0, 50)",
        "import atexit, os\natexit.register(print, 'passed')\nexit()",
        "import os, sys\nos.write = os._exit = lambda *_: None\nraise SystemExit(0)",
    ],
)
def test_leaving_early_and_saying_passed_is_no_pass(program):
    assert not run_tests(RIGHT + program, TESTS).passed


@pytest.mark.parametrize(
    "program",
    [
        "while True:\n    pass",
        "while True:\n    print('a' * 1000)",
        "import signal\nfor s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(s, signal.SIG_IGN)\nwhile True:\n    pass",
        "import os, time\nos.closerange(0, 2)\ntime.sleep(60)",
    ],
)
def test_the_wall_clock_ends_it(program):
    started = time.monotonic()
    assert run_tests(program, "", timeout=0.5) == Outcome(False, "timeout after 0.5 s")
    assert time.monotonic() - started < 3


def test_processor_time_ends_it():
    assert run_tests("while True:\n    pass", "", timeout=60, cpu_seconds=1) == Outcome(False, "processor time limit")
    ignoring = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass"
    assert run_tests(ignoring, "", timeout=60, cpu_seconds=1) == Outcome(False, "killed by SIGKILL")


def test_programs_see_nothing_of_the_environment(monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    assert run_tests("import os", "assert 'SECRET' not in os.environ and 'HOME' not in os.environ").passed


def test_programs_may_write_in_their_own_folder_which_then_goes():
    program = (
        "import os, tempfile\nopen('a', 'w').write('b')\n"
        "with tempfile.TemporaryFile() as f:\n    f.write(b'a')\nraise ValueError(os.getcwd())"
    )
    folder = run_tests(program, "").reason.removeprefix("ValueError: ")
    assert folder.startswith("/") and not Path(folder).exists()


def test_set_order_is_the_same_in_every_run():
    program = "raise ValueError(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert len({run_tests(program, "").reason for _ in range(3)}) == 1


def test_ordinary_modules_work():
    program = (
        "from dataclasses import dataclass\nimport collections, math, re, threading\n\n"
        "@dataclass\nclass Point:\n    x: int = 0\n"
    )
    assert run_tests(program, "assert Point(1) == Point(1) and __name__ != '__main__'").passed


def test_text_that_is_no_utf8_fails_quietly():
    assert not run_tests("x = '\ud800'\nassert len(x) == 0", "").passed


def test_many_keep_their_order_and_leave_no_process():
    cases = [(f"x = {i}", "assert x % 3 == 0") for i in range(12)]
    assert [outcome.passed for outcome in run_many(cases)] == [i % 3 == 0 for i in range(12)]
    children = subprocess.check_output(["ps", "--ppid", str(os.getpid()), "-o", "args="], text=True)
    assert "_harness" not in children
