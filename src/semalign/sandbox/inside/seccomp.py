"""The system calls that a generated program may make, as a filter that the kernel runs.

The filter is a list of what programs need: files, memory, threads, waiting, and sockets that lead back to themselves.
Everything else is refused, also calls that future kernels add: new processes and programs, the network, signals to
other processes, changed limits, modes, owners, dates, links and attributes, leases, and memory of the kernel that no
limit of a process counts (asynchronous I/O, timers, watches, larger pipes, keys, queues).
"""

from __future__ import annotations

import os
from functools import cache

THREAD = 0x10000  # CLONE_THREAD
EPERM, EACCES, ENOSYS = 1, 13, 38
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
X32 = 0x40000000  # x86-64's second set of call numbers
NEW = 424  # from here on, numbers are the same on all machines, and the C library does without the calls
PROCESS = 0x7FE1D2C3  # stands for the number of the process; larger than any, and no other value of the filter
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets into struct seccomp_data

Call = tuple["int | None", "int | None"]
# machine: (AUDIT_ARCH, column of the table)
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Numbers from asm/unistd_64.h and asm-generic/unistd.h; None where a machine lacks the call.
CALLS: dict[str, Call] = {
    # files that are open
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "preadv": (295, 69), "pwritev": (296, 70), "lseek": (8, 62), "close": (3, 57),
    "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "fsync": (74, 82),
    "fdatasync": (75, 83), "fadvise64": (221, 223), "sendfile": (40, 71), "pipe": (22, None), "pipe2": (293, 59),
    # paths
    "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "statfs": (137, 43), "fstatfs": (138, 44), "access": (21, None), "faccessat": (269, 48), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents": (78, None), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49),
    "fchdir": (81, 50), "umask": (95, 166),
    # memory
    "brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226),
    "madvise": (28, 233), "msync": (26, 227),
    # threads, signals to oneself, the end
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "sched_getparam": (143, 121), "sched_getscheduler": (145, 120),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigtimedwait": (128, 137), "rt_sigsuspend": (130, 133), "sigaltstack": (131, 132),
    "restart_syscall": (219, 128), "wait4": (61, 260), "waitid": (247, 95), "exit": (60, 93), "exit_group": (231, 94),
    # waiting and time
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22), "eventfd2": (290, 19),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getitimer": (36, 102),
    "setitimer": (38, 103), "alarm": (37, None), "pause": (34, None),
    # what the process is
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148), "getresgid": (120, 150),
    "getgroups": (115, 158), "getpgid": (121, 155), "getpgrp": (111, None), "getsid": (124, 156), "uname": (63, 160),
    "sysinfo": (99, 179), "getrusage": (98, 165), "getrlimit": (97, 163), "getpriority": (140, 141),
    "getcpu": (309, 168), "getrandom": (318, 278),
    # sockets that are open: the channel to the tests, and pairs as asyncio makes them
    "recvfrom": (45, 207), "shutdown": (48, 210), "getsockname": (51, 204),
    "getpeername": (52, 205), "getsockopt": (55, 209),
}  # fmt: skip
# Calls that change files, for programs that may write.
CHANGES: dict[str, Call] = {
    "ftruncate": (77, 46), "truncate": (76, 45), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
}  # fmt: skip
# Calls of which an argument decides.
CLONE, KILL_ONE, KILL_THREAD = (56, 220), (62, 129), (234, 131)
OPEN, OPENAT, FCNTL, IOCTL = (2, None), (257, 56), (72, 25), (16, 29)
SOCKETPAIR, SENDTO, PRLIMIT = (53, 199), (44, 206), (302, 261)

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
FCNTL_COMMANDS = (0, 1, 2, 3, 4, 5, 6, 7, 1030)  # duplicate, flags, and the locks of sqlite3; no leases, owners, pipes
IOCTL_COMMANDS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # a terminal and its size, FIONREAD, FIONBIO, CLOEXEC
AF_UNIX = 1


def filter_program(machine: str, process: int, writes: bool) -> bytes:
    """Return the filter, an array of ``struct sock_filter``.

    Refused calls fail with EPERM. Calls that are newer than the C library's fallbacks fail with ENOSYS; among them is
    ``clone3``, of which a filter cannot read the flags, so that threads are made by ``clone``.

    Args:
        machine: a key of ``MACHINES``.
        process: the number of the process, the only one that may receive its signals.
        writes: whether files may be opened for writing; otherwise that fails with EACCES, and no file is changed.
    """
    return _template(machine, writes).replace(_number(PROCESS), _number(process))


@cache
def _template(machine: str, writes: bool) -> bytes:
    """Return the filter for the process ``PROCESS``; a process that forks has made it for its children."""
    architecture, column = MACHINES[machine]
    program = [_step(LOAD, ARCHITECTURE), *_unless(EQUAL, architecture, KILL), _step(LOAD, NUMBER)]
    if machine == "x86_64":
        program += _when(AT_LEAST, X32, ERRNO | EPERM)
    plain = [*CALLS.values(), *((OPEN, OPENAT, *CHANGES.values()) if writes else ())]
    for call in plain:
        program += _when(EQUAL, call[column], ALLOW)
    for call, body in _conditions(PROCESS, writes):
        number = call[column]
        program += [] if number is None else [_step(EQUAL, number, 0, len(body)), *body]
    program += [*_when(AT_LEAST, NEW, ERRNO | ENOSYS), _step(RETURN, ERRNO | EPERM)]
    return b"".join(program)


def _conditions(process: int, writes: bool) -> list[tuple[Call, list[bytes]]]:
    """Return the calls of which an argument decides, with steps that end in a result."""
    refused = _step(RETURN, ERRNO | EPERM)
    conditions: list[tuple[Call, list[bytes]]] = [
        (CLONE, [_argument(0), *_when(ANY_BIT, THREAD, ALLOW), refused]),
        (PRLIMIT, _if_null(2)),
        (SENDTO, _if_null(4)),  # no address: a socket sends to the one with which it was made
        *((call, _one_of(0, (process,))) for call in (KILL_ONE, KILL_THREAD)),
        (FCNTL, _one_of(1, FCNTL_COMMANDS)),
        (IOCTL, _one_of(1, IOCTL_COMMANDS)),
        (SOCKETPAIR, _one_of(0, (AF_UNIX,))),
    ]
    if not writes:
        denied = [*_when(ANY_BIT, WRITES, ERRNO | EACCES), _step(RETURN, ALLOW)]
        conditions += [(OPEN, [_argument(1), *denied]), (OPENAT, [_argument(2), *denied])]
    return conditions


def _if_null(argument: int) -> list[bytes]:
    halves = [[_argument(argument, half), *_unless(EQUAL, 0, ERRNO | EPERM)] for half in (0, 4)]
    return [*halves[0], *halves[1], _step(RETURN, ALLOW)]


def _one_of(argument: int, values: tuple[int, ...]) -> list[bytes]:
    allowed = [step for value in values for step in _when(EQUAL, value, ALLOW)]
    return [_argument(argument), *allowed, _step(RETURN, ERRNO | EPERM)]


def _argument(index: int, half: int = 0) -> bytes:
    return _step(LOAD, ARGUMENTS + 8 * index + half)  # both machines store the lower half first


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + _number(value)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _when(test: int, value: int | None, result: int) -> list[bytes]:
    return [] if value is None else [_step(test, value, 0, 1), _step(RETURN, result)]


def _unless(test: int, value: int, result: int) -> list[bytes]:
    return [_step(test, value, 1, 0), _step(RETURN, result)]
