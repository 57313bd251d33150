"""A sandbox that is started once and runs programs one after the other, each in a process of its own."""

import socket
from contextlib import ExitStack

from semalign.sandbox.control_group import control_group
from semalign.sandbox.errors import SandboxError
from semalign.sandbox.inside.wire import WireError, receive
from semalign.sandbox.inside.worker import READY, STATUS
from semalign.sandbox.isolation import announce, start, stop

START_SECONDS = 60.0  # starting takes hundredths of a second, but the machine may be busy
LAST_WORDS = 1.0  # seconds in which a process that has closed its connection may end


class Worker:
    """A process that forks for a program and waits for it; there is one program at a time.

    The process has a user of its own (if root starts it), a control group and, with bubblewrap, namespaces. A program
    has these to itself, since the one before it has ended.
    """

    def __init__(self, mode: str, cpu_seconds: int, memory: int) -> None:
        self._limits = (cpu_seconds, memory)
        self._control, theirs = socket.socketpair()
        self._group = ExitStack()
        self._join = self._group.enter_context(control_group(memory))
        with theirs:
            self.process = start("program", mode, theirs)
        self._code: int | None = None
        self._running = self._joined = False
        self.usable = True

    def begin(self, channel: socket.socket, theirs: socket.socket) -> None:
        """Start a process for a program and wait until it can take one from ``channel``.

        Args:
            channel: this end of the channel to the program.
            theirs: the program's end; it is closed here.

        Raises:
            SandboxError: if it does not start; this is never the fault of a program.
        """
        try:
            self._join_group()
            announce(self._control, self._limits, theirs)
            self._running, self._code = True, None
            channel.settimeout(START_SECONDS)
            if receive(channel.recv, len(READY)) == READY:
                return
        except (EOFError, OSError, WireError):
            pass
        self.usable = False
        raise SandboxError("a process for a program did not start")

    def _join_group(self) -> None:
        """Put the process into its group before it has run anything; all that it forks will be there too."""
        if not self._joined:
            self._control.settimeout(START_SECONDS)
            if self._control.recv(len(READY)) != READY:
                raise EOFError
            self._join(self.process.pid)
            self._joined = True

    def exit_code(self, seconds: float = LAST_WORDS) -> int | None:
        """Return the exit code of the program's process as `subprocess` has it, None if it lives for some seconds."""
        try:
            self._control.settimeout(seconds)
            said = self._control.recv(STATUS)
        except TimeoutError:
            return None
        except OSError:
            said = b""
        self._running = False
        if not said:  # the worker has ended too: the program took so much of the kernel's memory, for example
            self.usable = False
            return self.process.wait(START_SECONDS)
        return int(said)

    def end(self) -> None:
        """Kill the program's process, unless it has ended, and wait for that."""
        try:
            self._control.sendall(b"x")
        except OSError:
            self.usable = False
        if self._running and self.exit_code(START_SECONDS) is None:
            self.usable = False

    def close(self) -> None:
        """End the worker with all that it has started."""
        self._control.close()
        stop(self.process)
        self._group.close()
