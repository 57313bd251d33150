"""Two ends of the channel between a program and its tests, in one process."""

import socket
import sys
import threading
from contextlib import contextmanager

from semalign.sandbox.inside.end import End
from semalign.sandbox.inside.peer import Peer
from semalign.sandbox.inside.program import Program
from semalign.sandbox.inside.wire import decode, encode, receive


def two_ends():
    """Return a strict end and a trusting one that are not connected."""
    ends = End(print, print, 0), End(print, print, 1)
    ends[0].trusting = False
    return ends


def through(value):
    """Return what arrives at the tests' end when a program's end sends a value."""
    tests, program = two_ends()
    return decode(encode(value, program), tests)


@contextmanager
def connected(source=""):
    """Run a program in a thread, and yield the tests' end of its channel."""
    ours, theirs = socket.socketpair()
    program = Program(theirs.sendall, lambda: receive(theirs.recv, 2**30))

    def serve():
        program.run(source.encode())
        try:
            while True:
                program.reply()
        except (EOFError, OSError):
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    peer = Peer(ours)
    try:
        peer.started()
        yield peer
    finally:
        ours.close()
        thread.join(5)
        theirs.close()
        sys.modules.pop("program", None)
