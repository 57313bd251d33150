"""Examine a program: start it in its own process, run its tests against it, and return the outcome."""

import socket
import subprocess
import threading
import time
from math import ceil
from types import TracebackType
from typing import NamedTuple

from semalign.sandbox.control_group import control_group, remove_used
from semalign.sandbox.errors import SandboxError
from semalign.sandbox.inside.program import READY
from semalign.sandbox.inside.wire import WireError, frame, receive
from semalign.sandbox.isolation import start, stop
from semalign.sandbox.outcome import Outcome, last_words

TIMEOUT = 30.0
CPU_SECONDS = 10  # MBPP's slowest solution takes 4 s on an idle machine; 5 s were too few on a busy one
MEMORY = 512 * 1024**2
START_SECONDS = 60.0  # starting takes hundredths of a second, but the machine may be busy


class Limits(NamedTuple):
    """Limits of each process of a case: wall-clock seconds, bytes of address space, processor seconds."""

    timeout: float | int = TIMEOUT
    memory: int = MEMORY
    cpu_seconds: int = CPU_SECONDS


class Examiner:
    """Runs cases with one server process, which forks for the tests of each case, and a process for each program."""

    def __init__(self, mode: str, limits: Limits) -> None:
        self._mode, self._limits, self._lock = mode, limits, threading.Lock()
        self._server, theirs = socket.socketpair()
        with theirs:
            self._process = start("tests", mode, theirs)

    def __enter__(self) -> "Examiner":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        stop(self._process)
        remove_used()

    def examine(self, program: str, tests: str) -> Outcome:
        """Run one case; several threads may run cases at the same time."""
        channel, theirs = socket.socketpair()
        with channel, control_group(self._limits.memory) as join:
            with theirs:
                process = self._start(theirs)
            try:
                _await_start(channel)
                join(process.pid)
                answer = self._run_tests(channel, program.encode(errors="replace"), tests.encode(errors="replace"))
                return self._outcome(answer, process)
            finally:
                stop(process)

    def _start(self, stdin: socket.socket) -> subprocess.Popen:
        limits = self._limits
        return start("program", self._mode, stdin, cpu_seconds=limits.cpu_seconds, memory=limits.memory)

    def _run_tests(self, channel: socket.socket, program: bytes, tests: bytes) -> bytes | None:
        """Send the program and the tests to their processes; return the verdict, or None after the time limit."""
        deadline = time.monotonic() + self._limits.timeout
        case, theirs = socket.socketpair()
        with case:
            try:
                channel.settimeout(self._limits.timeout)
                channel.sendall(frame(program))
            except TimeoutError:
                return None
            except OSError:  # the process died while reading; the tests will notice
                pass
            with theirs:
                self._hand_over(channel, theirs)
            case.sendall(tests)
            case.shutdown(socket.SHUT_WR)
            return _until(deadline, case)

    def _hand_over(self, *sockets: socket.socket) -> None:
        for each in sockets:
            each.setblocking(True)
        limits = f"{ceil(self._limits.timeout) + 1} {self._limits.cpu_seconds} {self._limits.memory}"
        try:
            with self._lock:
                socket.send_fds(self._server, [limits.ljust(64).encode()], [each.fileno() for each in sockets])
        except OSError as error:
            raise SandboxError(f"the process that runs the tests is gone: {error}") from error
        sockets[0].close()  # so that the program sees the end of its tests

    def _outcome(self, answer: bytes | None, process: subprocess.Popen) -> Outcome:
        if answer is None:
            return Outcome(False, "timeout", f"after {self._limits.timeout:g} s")
        reason, _, detail = answer.decode(errors="replace").partition("\n")
        if reason == "gone":
            return last_words(process)
        if not reason and self._process.poll() is not None:
            raise SandboxError("the process that runs the tests is gone")
        if not reason:
            return Outcome(False, "output", "its answer was too large for its tests")
        return Outcome(reason == "passed", reason, detail)


def _await_start(channel: socket.socket) -> None:
    """Wait until the interpreter has started, to distinguish a failing sandbox from a failing program."""
    channel.settimeout(START_SECONDS)
    try:
        if receive(channel.recv, len(READY)) == READY:
            return
    except (EOFError, OSError, WireError):
        pass
    raise SandboxError("a process for a program did not start")


def _until(deadline: float, case: socket.socket) -> bytes | None:
    """Return all data received until the other end closes; None if that is after the deadline."""
    answer = b""
    try:
        while True:
            case.settimeout(max(deadline - time.monotonic(), 1e-3))
            part = case.recv(4096)
            if not part:
                return answer
            answer += part
    except TimeoutError:
        return None
    except ConnectionResetError:
        return answer
