"""Examine a program: start it in a process of its own, let its tests question it, and say what came of it."""

import socket
import subprocess
import tempfile
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from math import ceil
from types import TracebackType
from typing import NamedTuple

from semalign.sandbox.errors import SandboxError
from semalign.sandbox.inside.program import READY
from semalign.sandbox.inside.wire import WireError, frame, receive
from semalign.sandbox.isolation import start, stop
from semalign.sandbox.outcome import Outcome, last_words

TIMEOUT = 30.0
CPU_SECONDS = 10  # the slowest solution of MBPP takes 4 on an idle machine, and 5 were too few on a busy one
MEMORY = 512 * 1024**2
START_SECONDS = 60.0  # an interpreter takes hundredths of one, but the machine may be busy


class Limits(NamedTuple):
    """Wall-clock seconds, bytes of address space and processor seconds of each process of a case."""

    timeout: float | int = TIMEOUT
    memory: int = MEMORY
    cpu_seconds: int = CPU_SECONDS


class Examiner:
    """One process for the tests, which forks for each case; and for each case, a process for the program."""

    def __init__(self, mode: str, limits: Limits) -> None:
        self._mode, self._limits, self._lock = mode, limits, threading.Lock()
        self._server, theirs = socket.socketpair()
        with theirs:
            self._process = start("from inside.tests import main; main()", mode, theirs, "/")

    def __enter__(self) -> "Examiner":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        stop(self._process)

    def examine(self, program: str, tests: str) -> Outcome:
        """Run one case. Cases may be run from several threads at a time."""
        channel, theirs = socket.socketpair()
        with channel, self._folder() as folder:
            with theirs:
                process = self._start(theirs, folder)
            try:
                _await_start(channel)
                answer = self._question(channel, program.encode(errors="replace"), tests.encode(errors="replace"))
                return self._outcome(answer, process)
            finally:
                stop(process)

    def _folder(self) -> AbstractContextManager[str]:
        if self._mode == "bubblewrap":
            return nullcontext("/")
        return tempfile.TemporaryDirectory(prefix="semalign-", ignore_cleanup_errors=True)

    def _start(self, stdin: socket.socket, folder: str) -> subprocess.Popen:
        guarded, limits = self._mode == "limits", self._limits
        arguments = f"{guarded}, {limits.cpu_seconds}, {limits.memory}"
        code = f"from inside.program import main; del sys.path[0]; main({arguments})"
        return start(code, self._mode, stdin, folder, filtered=True)

    def _question(self, channel: socket.socket, program: bytes, tests: bytes) -> bytes | None:
        """Give the program to its process and the tests to theirs; return the verdict, None if time runs out."""
        deadline = time.monotonic() + self._limits.timeout
        case, theirs = socket.socketpair()
        with case:
            try:
                channel.settimeout(self._limits.timeout)
                channel.sendall(frame(program))
            except TimeoutError:
                return None
            except OSError:  # it died before it had read all; the tests will notice
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
        sockets[0].close()  # so that the program sees when its tests are over

    def _outcome(self, answer: bytes | None, process: subprocess.Popen) -> Outcome:
        if answer is None:
            return Outcome(False, "timeout", f"after {self._limits.timeout:g} s")
        reason, _, detail = answer.decode(errors="replace").partition("\n")
        if reason == "gone":
            return last_words(process)
        if not reason and self._process.poll() is not None:
            raise SandboxError("the process that runs the tests is gone")
        if not reason:
            return Outcome(False, "output", "what it answered was too much for its tests")
        return Outcome(reason == "passed", reason, detail)


def _await_start(channel: socket.socket) -> None:
    """Wait until the interpreter is up, so that a sandbox that fails is not taken for a program that fails."""
    channel.settimeout(START_SECONDS)
    try:
        if receive(channel.recv, len(READY)) == READY:
            return
    except (EOFError, OSError, WireError):
        pass
    raise SandboxError("a process for a program did not start")


def _until(deadline: float, case: socket.socket) -> bytes | None:
    """Return all that comes until the other end closes; None if that is after the deadline."""
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
