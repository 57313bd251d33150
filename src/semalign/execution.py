"""Run generated programs with their tests in child processes with limits.

A program passes only if its tests ran to their end: the parent puts a random token into a channel, and the
child takes it out and sends it back after the last test. Leaving early, whatever the exit code, and printing
anything count for nothing. Each program gets a fresh interpreter with the standard library only, its own
session, an empty working folder and environment, and limits on processor time, memory, file size, open files,
processes and wall clock.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm.auto import tqdm

HARNESS = Path(__file__).with_name("_harness.py")
CPU_SECONDS = 5
MEMORY = 512 * 1024**2
FILE_SIZE = 4 * 1024**2
OPEN_FILES = 32

# As -I (no script folder, user packages or Python settings), and no site packages. Unlike -I it heeds the hash
# seed, so that a program that depends on the order of a set gives the same verdict each time.
INTERPRETER = (sys.executable, "-P", "-s", "-S", str(HARNESS))
ENVIRONMENT = {"PYTHONHASHSEED": "0"}


class Outcome(NamedTuple):
    """Verdict on one program: whether all its tests ran and held, and if not, why."""

    passed: bool
    reason: str


def run_tests(
    program: str, tests: str, timeout: float | int = 15.0, memory: int = MEMORY, cpu_seconds: int = CPU_SECONDS
) -> Outcome:
    """Run ``program`` and then ``tests`` in one namespace of a fresh interpreter with limits.

    Args:
        program: Python source.
        tests: Python source that raises unless the program is right.
        timeout: wall-clock seconds, after which the whole process group is killed.
        memory: bytes of address space.
        cpu_seconds: processor time. It ends an endless loop after the same work on a busy machine as on an idle one,
            where the wall clock would fail programs for what else runs.

    Returns:
        The outcome; ``reason`` is ``"passed"``, the exception, or the limit that was hit.
    """
    case = program.encode(errors="replace"), tests.encode(errors="replace")
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(prefix="semalign-", ignore_cleanup_errors=True) as folder, ours:
        with theirs:
            process = _start(folder, theirs.fileno())
            limits = (cpu_seconds, memory, FILE_SIZE, OPEN_FILES)
            header = " ".join(map(str, (theirs.fileno(), *map(len, case), *limits)))
        token = secrets.token_hex(16).encode()
        try:
            ours.sendall(token)
            with process.stdin as stdin:  # type: ignore[union-attr]
                stdin.write(header.encode() + b"\n" + b"".join(case))
            answer = _receive(ours, timeout)
        except BrokenPipeError:  # it died before it read its case
            answer = b""
        finally:
            _kill(process)
    return _outcome(answer, token, process.returncode, timeout)


def run_many(
    cases: Iterable[tuple[str, str]], timeout: float | int = 15.0, memory: int = MEMORY, workers: int | None = None
) -> list[Outcome]:
    """Run many ``(program, tests)`` cases, ``workers`` at a time (default: one for each core), in order."""
    cases = list(cases)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        outcomes = pool.map(lambda case: run_tests(case[0], case[1], timeout, memory), cases)
        return list(tqdm(outcomes, total=len(cases), desc="running programs", leave=False))


def _start(folder: str, channel: int) -> subprocess.Popen:
    # No preexec_fn: the child sets its own limits, so that a large parent process need not be copied.
    return subprocess.Popen(
        INTERPRETER,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=ENVIRONMENT,
        pass_fds=[channel],
        start_new_session=True,
    )


def _receive(channel: socket.socket, timeout: float | int) -> bytes | None:
    """Return what the child sends until it hangs up, at most 4096 bytes; None if time runs out."""
    deadline, answer = time.monotonic() + timeout, b""
    while len(answer) < 4096:
        channel.settimeout(max(deadline - time.monotonic(), 1e-3))
        try:
            part = channel.recv(4096)
        except TimeoutError:
            return None
        except ConnectionResetError:  # it left without taking the token
            break
        if not part:
            break
        answer += part
    return answer


def _kill(process: subprocess.Popen) -> None:
    """Kill the child's process group. One that has ended keeps its exit code."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def _outcome(answer: bytes | None, token: bytes, code: int, timeout: float | int) -> Outcome:
    if answer is None:
        return Outcome(False, f"timeout after {timeout:g} s")
    if answer == token:
        return Outcome(True, "passed")
    if answer:
        return Outcome(False, answer.decode(errors="replace"))
    if code == -signal.SIGXCPU:
        return Outcome(False, "processor time limit")
    if code < 0:
        return Outcome(False, f"killed by {signal.Signals(-code).name}")
    return Outcome(False, f"left with exit code {code} before the tests ended")
