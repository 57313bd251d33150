"""The process that runs the tests. It never executes the program's code but sends requests to the program's process.

Tests compare plain data in their own process. A program can therefore neither manipulate the comparison (by patching
``assert``, ``__eq__`` or builtins, or by inspecting frames) nor reach the verdict. It can only answer requests.
"""

from __future__ import annotations

import ast
import builtins
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from .confinement import seal, settle
from .forking import MESSAGE, prepare
from .kernel import die_with
from .limits import limit
from .patches import REMOTE, WATCHED, Patches
from .peer import Peer, described

OWN_NAMES = frozenset(dir(builtins)) | sys.stdlib_module_names


class Namespace(dict):
    """The tests' global names. Names that the tests do not define are looked up in the program.

    Names of builtins and standard modules keep their meaning even if the program defines them; otherwise a program
    with ``abs = lambda x: 0`` could pass tests. The exception is such a name that is the only free name of the tests,
    as in ``assert sum(10, 15) == 6``: then the program's definition comes first.
    """

    def __init__(self, peer: Peer, tests: ast.Module) -> None:
        super().__init__(__name__="tests")
        self._peer, self._given = peer, dict[str, Any]()
        peer.rebound = self._rebound
        free = free_names(tests)
        self._own = OWN_NAMES - free if len(free) == 1 else OWN_NAMES

    def __missing__(self, name: str) -> Any:
        if name not in self._own:
            value = self._peer.ask("name", name)  # if the program has none, a KeyError, and Python takes the builtin
            self[name] = self._given[name] = value
        elif name in sys.stdlib_module_names:
            module = __import__(name)
            # After ``from datetime import datetime`` in the program, its class is meant, not the module.
            self[name] = getattr(module, name) if hasattr(module, name) and self._peer.ask("imports", name) else module
        else:
            raise KeyError(name)
        return self[name]

    def _rebound(self, name: str) -> None:
        """Forget a name to which the program has given another value."""
        if name in self._given and self.get(name) is self._given.pop(name):
            del self[name]


def free_names(tests: ast.Module) -> set[str]:
    """Return the names that the tests use but do not bind."""
    used, bound = set(), set()
    for node in ast.walk(tests):
        match node:
            case ast.Name(name, ast.Load()):
                used.add(name)
            case ast.Name(name) | ast.arg(name) | ast.FunctionDef(name) | ast.ClassDef(name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.alias(name, other):
                bound.add(other or name.partition(".")[0])
    return used - bound


def verdict(tests: str, channel: socket.socket) -> tuple[str, str]:
    """Run the tests against the program at the other end of ``channel``; return reason and detail."""
    peer = Peer(channel)
    try:
        peer.started()
        peer.patches = Patches(peer)
        tree = ast.parse(tests, "<tests>")
        exec(compile(tree, "<tests>", "exec", dont_inherit=True), Namespace(peer, tree))
    except BaseException as error:
        if peer.broken is None:
            return _reason(error)
    return peer.broken or ("passed", "")


def _reason(error: BaseException) -> tuple[str, str]:
    reasons: dict[type, str] = {AssertionError: "assertion", MemoryError: "memory"}
    reason = reasons.get(type(error), "error")
    return reason, described(error)


def serve(server: socket.socket, seal_case: Callable[[], None] = lambda: None) -> None:
    """Run each case that arrives in a forked process, which ``seal_case`` confines, until the other end closes.

    A message holds the limits as text and two sockets: one to the program, and one that delivers the tests' source and
    receives the verdict.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # finished children need no wait()
    parent = os.getpid()
    prepare(name.partition(":")[0] for name in (*WATCHED, *REMOTE))
    while True:
        message, sockets, _, _ = socket.recv_fds(server, MESSAGE, 2)
        if not message:
            return
        if os.fork() == 0:
            if sys.platform == "linux":  # elsewhere the alarm ends it
                die_with(parent)
            channel, case = (socket.socket(fileno=descriptor) for descriptor in sockets)
            _run_case(seal_case, channel, case, *map(int, message.split()))
        for descriptor in sockets:
            os.close(descriptor)


def _run_case(
    seal_case: Callable[[], None], channel: socket.socket, case: socket.socket, wall: int, cpu: int, memory: int
) -> None:
    try:
        signal.alarm(wall)
        limit(cpu, memory)
        seal_case()  # last, since it refuses limits too
        with case.makefile("rb") as source:
            tests = source.read().decode()
        reason, detail = verdict(tests, channel)
        case.sendall(f"{reason}\n{detail[:500]}".encode(errors="replace"))
    finally:
        os._exit(0)


def main(mechanism: str, readable: tuple[str, ...], **settings: Any) -> None:
    """Serve cases that arrive on standard input, a socket; the arguments are those of ``confine``."""
    settle(mechanism, **settings)
    serve(socket.socket(fileno=os.dup(0)), lambda: seal(mechanism, readable))
