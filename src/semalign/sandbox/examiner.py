"""Examine a program: start it in its own process, run its tests against it, and return the outcome."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple

from semalign.sandbox.control_group import remove_used
from semalign.sandbox.errors import SandboxError
from semalign.sandbox.inside.wire import frame
from semalign.sandbox.isolation import announce, start, stop
from semalign.sandbox.outcome import Outcome, last_words
from semalign.sandbox.worker import Worker

TIMEOUT = 30.0
CPU_SECONDS = 10  # MBPP's slowest solution takes 4 s on an idle machine; 5 s were too few on a busy one
MEMORY = 512 * 1024**2


class Limits(NamedTuple):
    """Limits of each process of a case: wall-clock seconds, bytes of address space, processor seconds."""

    timeout: float | int = TIMEOUT
    memory: int = MEMORY
    cpu_seconds: int = CPU_SECONDS


class Examiner:
    """Runs cases with one server process, which forks for the tests of each case, and workers, which do for programs.

    A worker runs one program at a time. One that has ended, with a program that took it along, is replaced.
    """

    def __init__(self, mode: str, limits: Limits, workers: int = 1) -> None:
        self._mode, self._limits, self._lock = mode, limits, threading.Lock()
        self._server, theirs = socket.socketpair()
        with theirs:
            self._process = start("tests", mode, theirs)
        self._workers: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(workers):
            self._workers.put(self._worker())

    def _worker(self) -> Worker:
        return Worker(self._mode, self._limits.cpu_seconds, self._limits.memory)

    def __enter__(self) -> "Examiner":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        stop(self._process)
        while not self._workers.empty():
            self._workers.get().close()
        remove_used()

    def examine(self, program: str, tests: str) -> Outcome:
        """Run one case; as many threads as there are workers may run cases at the same time."""
        worker = self._workers.get()
        try:
            with _program(worker) as channel:
                answer = self._run_tests(channel, program.encode(errors="replace"), tests.encode(errors="replace"))
                return self._outcome(answer, worker)
        finally:
            if not worker.usable:
                worker.close()
                worker = self._worker()
            self._workers.put(worker)

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
            limits = (ceil(self._limits.timeout) + 1, self._limits.cpu_seconds, self._limits.memory)
            try:
                with self._lock:  # the channel is closed here, so that the program sees the end of its tests
                    announce(self._server, limits, channel, theirs)
            except OSError as error:
                raise SandboxError(f"the process that runs the tests is gone: {error}") from error
            case.sendall(tests)
            case.shutdown(socket.SHUT_WR)
            return _until(deadline, case)

    def _outcome(self, answer: bytes | None, worker: Worker) -> Outcome:
        if answer is None:
            return Outcome(False, "timeout", f"after {self._limits.timeout:g} s")
        reason, _, detail = answer.decode(errors="replace").partition("\n")
        if reason == "gone":
            return last_words(worker.exit_code())
        if not reason and self._process.poll() is not None:
            raise SandboxError("the process that runs the tests is gone")
        if not reason:
            return Outcome(False, "output", "its answer was too large for its tests")
        return Outcome(reason == "passed", reason, detail)


@contextmanager
def _program(worker: Worker) -> Iterator[socket.socket]:
    """Yield the channel to a new process for a program, which has ended when the block ends."""
    channel, theirs = socket.socketpair()
    with channel:
        worker.begin(channel, theirs)
        try:
            yield channel
        finally:
            worker.end()


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
