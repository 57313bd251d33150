"""The process in which nothing of a program ever runs: it forks for each program, and tells how each ended.

It takes from a program nothing but its exit code. The child closes all that it has from this process before it takes
the program, so that programs that follow each other share only what none of them can change.
"""

from __future__ import annotations

import os
import select
import signal
import socket

from .forking import MESSAGE, prepare

STATUS = 8  # bytes of an exit code as text
CHANNEL, DESCRIPTORS = 3, 1024  # the only file of a child but its null devices, and a number above those of all files
READY = b"ready"


def forked(control: socket.socket) -> tuple[int, list[int]]:
    """Fork for each message, one child at a time; return in each child its channel and the numbers of the message.

    A child is killed at the next byte from ``control``, which is due once for each child. Its exit code goes to
    ``control`` as soon as it has ended. This process ends when the other end of ``control`` closes.
    """
    bell, rope = os.pipe()
    os.set_blocking(rope, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # so that it rings
    signal.set_wakeup_fd(rope)
    prepare()
    control.sendall(READY)
    while True:
        message, channels, _, _ = socket.recv_fds(control, MESSAGE, 1)
        if not message:
            os._exit(0)
        child = os.fork()
        if child == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.detach()
            os.dup2(channels[0], CHANNEL)
            os.closerange(CHANNEL + 1, DESCRIPTORS)
            return CHANNEL, [int(number) for number in message.split()]
        os.close(channels[0])
        _attend(control, bell, child)


def _attend(control: socket.socket, bell: int, child: int) -> None:
    """Wait until a child has ended, or end it when that is asked for; report its exit code."""
    status, told = None, False
    while status is None:
        ready, _, _ = select.select([control.fileno(), bell], [], [])
        if control.fileno() in ready:
            told = True
            control.recv(1)  # nothing if the other end has closed
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
        else:
            os.read(bell, 64)  # also for a child before
            found, code = os.waitpid(child, os.WNOHANG)
            status = code if found else None
    try:
        control.sendall(str(os.waitstatus_to_exitcode(status)).ljust(STATUS).encode())
    except OSError:
        os._exit(0)
    if not told:
        control.recv(1)
