"""Limits that a process sets on itself."""

from __future__ import annotations

import resource

FILE_SIZE = 4 * 1024**2
OPEN_FILES = 32
THREADS = 64


def limit(cpu_seconds: int, memory: int) -> None:
    """Limit processor seconds, bytes of address space and files of this process; skip limits that the system lacks."""
    limits = {
        "RLIMIT_CPU": (cpu_seconds, cpu_seconds + 1),  # SIGXCPU, then SIGKILL
        "RLIMIT_AS": (memory, memory),
        "RLIMIT_FSIZE": (FILE_SIZE, FILE_SIZE),
        "RLIMIT_NOFILE": (OPEN_FILES, OPEN_FILES),
        "RLIMIT_MEMLOCK": (0, 0),
        "RLIMIT_CORE": (0, 0),
    }
    for name, soft_and_hard in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), soft_and_hard)
        except (AttributeError, OSError, ValueError):
            pass


def limit_threads() -> None:
    """Limit the threads of this process's user, who must have no other processes; memory bounds threads too."""
    resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, THREADS))
