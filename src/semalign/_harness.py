"""What the child process of :mod:`semalign.execution` runs: limits first, then a program, then its tests.

Only the standard library, and little of it: the start of this file is paid for every program.
"""

from __future__ import annotations

import os
import resource
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing these costs as much as the interpreter's own start
    from collections.abc import Callable
    from typing import Any

FORBIDDEN = {
    "ctypes.dlopen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "signal.pthread_kill",
    "subprocess.Popen",
}
CHANGES_A_PATH = {
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def guard(folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that refuses new processes and sockets, and changes outside ``folder``.

    RLIMIT_NPROC does not bind root and counts what else the user runs, hence the hook. It keeps careless
    programs from harm; it is no wall against hostile ones.
    """

    def inside(path: Any) -> bool:
        if isinstance(path, int):  # an open file: it was checked when it was opened
            return True
        return (os.path.realpath(os.fsdecode(path)) + "/").startswith(folder + "/")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in FORBIDDEN or event.startswith("socket."):
            raise PermissionError(f"{event} is not allowed")
        if event in CHANGES_A_PATH or (event == "open" and (args[2] or 0) & WRITES):
            paths = args[:2] if event in ("os.rename", "os.link", "os.symlink") else args[:1]
            if not all(map(inside, paths)):
                raise PermissionError(f"{event} outside the working folder is not allowed")

    return hook


def limit(cpu_seconds: int, memory: int, file_size: int, open_files: int) -> None:
    """Set the process's limits; those that a system lacks are left out."""
    limits = {
        "RLIMIT_CPU": (cpu_seconds, cpu_seconds + 1),  # a signal that says so, then one that cannot be caught
        "RLIMIT_AS": (memory, memory),
        "RLIMIT_FSIZE": (file_size, file_size),
        "RLIMIT_NOFILE": (open_files, open_files),
        "RLIMIT_CORE": (0, 0),
    }
    for name, soft_and_hard in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), soft_and_hard)
        except (AttributeError, OSError, ValueError):
            pass


def run(program: bytes, tests: bytes) -> str:
    """Run a program and then its tests in one namespace; return what stopped them, or the empty string."""
    module = type(sys)("program")  # a real module: dataclasses and pickle look theirs up by name
    sys.modules["program"] = module
    try:
        exec(compile(program, "<program>", "exec"), module.__dict__)
        exec(compile(tests, "<tests>", "exec"), module.__dict__)
    except BaseException as error:  # SystemExit too: the tests did not run to their end
        return f"{type(error).__name__}: {error}".rstrip(": ")
    return ""


def main() -> None:
    """Read a case from standard input, run it, and report on the channel that the parent keeps for this."""
    read, write, leave = os.read, os.write, os._exit  # before the program can replace them
    source = sys.stdin.buffer
    channel, program_size, tests_size, *limits = map(int, source.readline().split())
    program, tests = source.read(program_size), source.read(tests_size)
    os.set_inheritable(channel, False)
    limit(*limits)
    sys.addaudithook(guard(os.path.realpath(os.getcwd())))
    reason = run(program, tests)
    token = read(channel, 64)  # only now: it was never in this process's memory while the program ran
    write(channel, reason[:300].encode(errors="replace") or token)
    leave(0)


if __name__ == "__main__":
    main()
