"""The filter of system calls, run as the kernel runs it."""

import re
import struct
from pathlib import Path

import pytest

from semalign.sandbox.inside import seccomp
from semalign.sandbox.inside.seccomp import CALLS, CHANGES, MACHINES, filter_program

ALLOWED, REFUSED, DENIED, UNKNOWN, KILLED = 0x7FFF0000, 0x50001, 0x5000D, 0x50026, 0x80000000
OWN = 1234
HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm-generic/unistd.h")


def judge(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Run a filter as the kernel does."""
    steps, data = list(struct.iter_unpack("=HBBI", program)), {0: number, 4: architecture}
    for index in range(6):
        value = arguments[index] if index < len(arguments) else 0
        data |= {16 + 8 * index: value & 0xFFFFFFFF, 20 + 8 * index: value >> 32}
    at = value = 0
    while True:
        code, if_true, if_false, constant = steps[at]
        if code == 0x06:
            return constant
        if code == 0x20:
            value, at = data[constant], at + 1
        else:
            true = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
            at += 1 + (if_true if true else if_false)


@pytest.fixture(params=["x86_64", "aarch64"])
def ask(request):
    """Return what the filter of a machine says to a call, given as its pair of numbers or the number itself."""
    architecture, column = MACHINES[request.param]

    def answer(call, *arguments, writes=True, architecture=architecture):
        number = call if isinstance(call, int) else call[column]
        return judge(filter_program(request.param, OWN, writes), architecture, number, *arguments)

    answer.column = column
    return answer


def test_the_filter_allows_what_it_lists_and_no_other_call(ask):
    listed = {call[ask.column] for call in (*CALLS.values(), *CHANGES.values(), seccomp.OPEN, seccomp.OPENAT)} - {None}
    conditional = (seccomp.CLONE, seccomp.KILL_ONE, seccomp.KILL_THREAD, seccomp.SOCKETPAIR, seccomp.PRLIMIT)
    decided = {call[ask.column] for call in (*conditional, seccomp.SENDTO, seccomp.FCNTL, seccomp.IOCTL)}
    for number in range(600):
        if number not in decided:
            assert ask(number) == (ALLOWED if number in listed else UNKNOWN if number >= 424 else REFUSED), number


@pytest.mark.parametrize("writes", [True, False])
def test_arguments_decide(ask, writes):
    for call, arguments, answer in [
        (seccomp.CLONE, [0x3D0F00], ALLOWED),  # a thread of the C library
        (seccomp.CLONE, [17], REFUSED),
        (seccomp.CLONE, [0x10000000], REFUSED),  # a namespace of users
        (seccomp.KILL_ONE, [OWN, 9], ALLOWED),
        (seccomp.KILL_ONE, [0, 9], REFUSED),
        (seccomp.KILL_ONE, [2**32 - 1, 9], REFUSED),  # all
        (seccomp.KILL_THREAD, [OWN + 1, OWN + 1, 9], REFUSED),
        (seccomp.FCNTL, [3, 4, 0o4000], ALLOWED),
        *((seccomp.FCNTL, [3, command, 1], REFUSED) for command in (8, 10, 15, 1024, 1026, 1031, 1033, 1036)),
        (seccomp.IOCTL, [3, 0x5401], ALLOWED),
        (seccomp.IOCTL, [0, 0x5412], REFUSED),  # types into the terminal
        (seccomp.IOCTL, [3, 0x40086602], REFUSED),  # FS_IOC_SETFLAGS
        (seccomp.SOCKETPAIR, [1, 1, 0], ALLOWED),
        (seccomp.SOCKETPAIR, [16, 3, 0], REFUSED),
        (seccomp.PRLIMIT, [0, 9, 0, 5], ALLOWED),
        (seccomp.PRLIMIT, [0, 9, 0x7FFE12345678], REFUSED),
        (seccomp.PRLIMIT, [0, 9, 0x7FFE00000000], REFUSED),  # an address with a lower half of zero
        (seccomp.SENDTO, [3, 0x7FFE12345678, 9, 0, 0, 0], ALLOWED),
        (seccomp.SENDTO, [3, 0x7FFE12345678, 9, 0, 0x7FFE12345678, 16], REFUSED),  # to a socket of its own choice
        (seccomp.SENDTO, [3, 0x7FFE12345678, 9, 0, 0x7FFE00000000, 16], REFUSED),
        *((call, [0x7FFE12345678], ALLOWED if writes else REFUSED) for call in CHANGES.values() if call[ask.column]),
        (seccomp.OPENAT, [-100 & 0xFFFFFFFF, 5, 0o2000000], ALLOWED),
        *((seccomp.OPENAT, [3, 5, flags], ALLOWED if writes else DENIED) for flags in (1, 2, 0o100, 0o1000, 0o101)),
    ]:
        assert ask(call, *arguments, writes=writes) == answer, (call, arguments)


def test_another_set_of_system_calls_ends_the_process(ask):
    assert ask(0, architecture=0x40000003) == KILLED
    assert judge(filter_program("x86_64", OWN, True), 0xC000003E, 0x40000000 + 1) == REFUSED  # write of x32


@pytest.mark.parametrize("column", [0, 1])
def test_numbers_are_those_of_the_kernels_headers(column):
    if not Path(HEADERS[column]).exists():
        pytest.skip("no headers of the kernel")
    text = Path(HEADERS[column]).read_text()
    numbers = {name: int(n) for name, n in re.findall(r"define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    if column:
        numbers["newfstatat"] = numbers["fstatat"]
    named = CALLS | {"clone": seccomp.CLONE, "kill": seccomp.KILL_ONE, "tgkill": seccomp.KILL_THREAD}
    named |= {"open": seccomp.OPEN, "openat": seccomp.OPENAT, "fcntl": seccomp.FCNTL, "ioctl": seccomp.IOCTL}
    named |= {"socketpair": seccomp.SOCKETPAIR, "prlimit64": seccomp.PRLIMIT}
    assert {name: call[column] for name, call in named.items()} == {name: numbers.get(name) for name in named}
