"""A sandbox for one program after the other: none finds anything of the one before it, and none stays behind."""

import socket
import time
from contextlib import suppress

import pytest

from semalign.sandbox import Outcome, SandboxError, run_many
from semalign.sandbox.control_group import descendants
from semalign.sandbox.examiner import CPU_SECONDS, MEMORY, Examiner, Limits
from semalign.sandbox.inside.wire import frame
from semalign.sandbox.isolation import stop
from semalign.sandbox.worker import Worker

RIGHT = ("def f(): return 1", "assert f() == 1")
PASSED = Outcome(True, "passed", "")


def one_after_the_other(mode, *programs, tests="assert f() == 1"):
    return run_many([(program, tests) for program in programs], mode=mode, workers=1, timeout=20)


def begun(worker, program):
    """Start a program in a worker; return the channel to it."""
    channel, theirs = socket.socketpair()
    worker.begin(channel, theirs)
    channel.sendall(frame(program))
    return channel


@pytest.fixture
def worker(mode):
    worker = Worker(mode, CPU_SECONDS, MEMORY)
    yield worker
    worker.close()


def test_programs_run_in_the_same_worker_and_have_processes_of_their_own(mode):
    with Examiner(mode, Limits()) as examiner:
        worker = examiner._workers.get()
        examiner._workers.put(worker)
        for _ in range(3):
            assert examiner.examine(*RIGHT) == PASSED
        assert examiner._workers.get() is worker and worker.usable
        examiner._workers.put(worker)


# What one program leaves, and what the next one must not find.
TRACES = {
    "a file": ("open('/tmp/left', 'w').write('x')", "import os\nassert os.listdir('/tmp') == []"),
    "a name": ("import builtins\nbuiltins.left = 1", "import builtins\nassert not hasattr(builtins, 'left')"),
    "a module": ("import sys\nsys.modules['left'] = sys", "import sys\nassert 'left' not in sys.modules"),
    "a patch": ("import math\nmath.floor = print", "import math\nassert math.floor(1.5) == 1"),
    "a variable": ("import os\nos.environ['LEFT'] = 'x'", "import os\nassert 'LEFT' not in os.environ"),
    "a handler": ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
                  "import signal\nassert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL"),
    "open files": ("import os\nkept = [os.open('/dev/null', 0) for _ in range(20)]",
                   "import os\nfor number in range(4, 32):\n    try:\n        os.fstat(number)\n"
                   "        raise AssertionError(number)\n    except OSError:\n        pass"),
    "random numbers": ("import random\nrandom.seed(0)", "import random\nassert random.random() != 0.8444218515250481"),
}  # fmt: skip


@pytest.mark.parametrize("what", TRACES)
def test_a_program_finds_nothing_of_the_one_before_it(mode, what):
    if what == "a file" and mode == "limits":
        pytest.skip("programs write nowhere")
    left, found = TRACES[what]
    tail = "\ndef f(): return 1"
    assert one_after_the_other(mode, left + tail, found + tail) == [PASSED, PASSED]


def test_programs_do_not_share_random_numbers(mode):
    draw = "import random\nraise ValueError(random.random())"
    first, second = one_after_the_other(mode, draw, draw)
    assert first.detail != second.detail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os\nos._exit(3)", "exit"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "timeout"),
        ("import os\nos.closerange(0, 99)", "exit"),
        ("import os, time\nos.closerange(0, 99)\ntime.sleep(99)", "exit"),
        ("import time\ntime.sleep(99)", "timeout"),
        ("import os\nos.kill(os.getppid(), 9)", "error"),
        ("import os\nos.kill(-1, 9)", None),
    ],
)
def test_a_program_takes_nothing_along(mode, program, reason):
    first, second = run_many([(program, RIGHT[1]), RIGHT], mode=mode, workers=1, timeout=3)
    assert not first.passed and reason in (first.reason, None)
    assert second == PASSED


def test_the_exit_code_is_that_of_the_program(worker):
    with begun(worker, b"import os\nos._exit(7)"):
        assert worker.exit_code() == 7
        worker.end()
    with begun(worker, b"import time\ntime.sleep(60)"):
        assert worker.exit_code(0.01) is None
        worker.end()
    assert worker.usable


def test_a_program_has_ended_when_that_is_asked_for(worker):
    with begun(worker, b"import time\ntime.sleep(60)"):
        running = descendants(worker.process.pid)
        worker.end()
        assert len(descendants(worker.process.pid)) == len(running) - 1


def test_a_worker_that_is_gone_is_replaced(mode):
    with Examiner(mode, Limits()) as examiner:
        assert examiner.examine(*RIGHT) == PASSED
        worker = examiner._workers.get()
        stop(worker.process)
        with suppress(ConnectionResetError):
            while worker._control.recv(1024):  # what it said, until nobody is left who could say more
                pass
        examiner._workers.put(worker)
        with pytest.raises(SandboxError, match="did not start"):
            examiner.examine(*RIGHT)
        assert examiner.examine(*RIGHT) == PASSED


def test_a_worker_that_ends_with_its_program_tells_how(worker):
    with begun(worker, b"import time\ntime.sleep(60)"):
        stop(worker.process)
        started = time.monotonic()
        assert worker.exit_code() in (-9, 137) and time.monotonic() - started < 10
        assert not worker.usable
        worker.end()
