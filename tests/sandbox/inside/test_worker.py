"""The process that forks for programs, without a sandbox: what the child has, and what this process tells of it."""

import os
import socket
import subprocess
import sys

from semalign.sandbox.inside.worker import READY, STATUS
from semalign.sandbox.isolation import announce

CODE = """
import os, socket, sys
from semalign.sandbox.inside.worker import forked
channel, numbers = forked(socket.socket(fileno=os.dup(0)))
os.write(channel, repr((numbers, sorted(map(int, os.listdir('/dev/fd')))[:-1])).encode())
if numbers[0]:
    os._exit(numbers[0])
import time
time.sleep(60)
"""


def test_a_child_has_its_channel_alone_and_its_exit_code_is_told():
    control, theirs = socket.socketpair()
    process = subprocess.Popen([sys.executable, "-c", CODE], stdin=theirs)
    theirs.close()
    with control:
        assert control.recv(len(READY)) == READY
        for number, code in ((5, b"5"), (0, b"-9"), (6, b"6")):
            channel, end = socket.socketpair()
            announce(control, (number, 2), end)
            with channel:
                assert channel.recv(100) == repr(([number, 2], [0, 1, 2, 3])).encode()
                if number:
                    assert control.recv(STATUS).strip() == code  # at once
                    control.sendall(b"x")
                else:
                    control.sendall(b"x")  # kills it
                    assert control.recv(STATUS).strip() == code
    assert process.wait(60) == 0
    assert not os.path.exists(f"/proc/{process.pid}")
