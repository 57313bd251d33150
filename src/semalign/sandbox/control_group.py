"""Control groups of Linux: one limit for all processes of a program and the kernel's memory for them.

Root has them, and so has a user to whom a group was delegated, as systemd does in a login session. Elsewhere the limits
of each process hold alone.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
SLACK = 256 * 1024**2  # bytes beyond the address space of the program: its /tmp, and the kernel's memory
TASKS = 128
MEMORY_FILES = ("memory.max", "memory.limit_in_bytes")  # of the second and of the first version of control groups
TASKS_FILE = "pids.max"
REMOVAL_SECONDS = 1.0
_numbers = count()
_used: deque[Path] = deque()  # threads may share it


@contextmanager
def control_group(memory: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that puts a process into a group of its own, where one can be had.

    If it has descendants, as bubblewrap has, only the last of them is moved, which is the program's: each move takes
    the kernel milliseconds. It must not have run anything of the program yet, and have ended when the block ends.

    Args:
        memory: bytes of address space of the program; the group may use these and ``SLACK``.
    """
    groups: list[Path] = []
    for place in places():
        with suppress(OSError):
            groups.append(_made(place, memory + SLACK))

    def join(process: int) -> None:
        last = descendants(process)[-1]
        for group in groups:
            with suppress(OSError):
                (group / "cgroup.procs").write_text(str(last))

    try:
        yield join
    finally:
        _used.extend(groups)
        remove_used(0.0)


def remove_used(seconds: float = REMOVAL_SECONDS) -> None:
    """Remove groups that have been used, as soon as their processes, which have been killed, are gone.

    Args:
        seconds: how long to wait for that; groups that are still in use are left to the next call.
    """
    taken = []
    with suppress(IndexError):
        while True:
            taken.append(_used.popleft())
    for group in taken:
        _remove(group, seconds)
    _used.extend(filter(Path.exists, taken))


@cache
def places() -> tuple[Path, ...]:
    """Return the groups in which this process may make others that limit memory."""
    lines = Path("/proc/self/cgroup")
    found = [place for line in lines.read_text().splitlines() for place in _places(line)] if lines.is_file() else []
    return tuple(place for place in found if _usable(place))


def _places(line: str) -> list[Path]:
    """Return where groups could be made, from a line of /proc/self/cgroup: number, controllers, path."""
    _, controllers, path = line.split(":", 2)
    if ".." in path:  # the process is in a group outside of its namespace
        return []
    if controllers:  # the first version has a hierarchy for each controller; only that of memory is worth a move
        return [ROOT / controllers / path.lstrip("/")] if controllers == "memory" else []
    own = ROOT / path.lstrip("/")  # a group with processes may have no limited ones below it, but beside it
    return [own.parent if own != ROOT else own]


def _usable(place: Path) -> bool:
    for left in place.glob("semalign-[0-9]*-[0-9]*"):
        if not Path("/proc", left.name.split("-")[1]).exists():  # the process that made it
            _remove(left, 0.0)
    try:
        group = _made(place, SLACK)
    except OSError:
        return False
    limits = any((group / name).exists() for name in MEMORY_FILES)
    _remove(group)
    return limits


def _made(place: Path, memory: int) -> Path:
    group = place / f"semalign-{os.getpid()}-{next(_numbers)}"
    group.mkdir()
    limits = {**dict.fromkeys(MEMORY_FILES, memory), TASKS_FILE: TASKS}
    try:
        for name, limit in limits.items():
            if (group / name).exists():
                (group / name).write_text(str(limit))
    except OSError:
        group.rmdir()
        raise
    return group


def _remove(group: Path, seconds: float = REMOVAL_SECONDS) -> None:
    """Remove a group if its processes end within some seconds."""
    deadline = time.monotonic() + seconds
    while group.exists():
        with suppress(OSError):
            group.rmdir()
            return
        if time.monotonic() > deadline:
            return
        time.sleep(0.002)


def descendants(process: int) -> list[int]:
    """Return a process with its children, their children and so on."""
    found = [process]
    for each in found:  # grows while it is read
        with suppress(OSError):
            for children in Path(f"/proc/{each}/task").glob("*/children"):
                found += map(int, children.read_text().split())
    return found
