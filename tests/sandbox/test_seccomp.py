"""The filter of system calls, run as the kernel runs it."""

import struct

import pytest

from semalign.sandbox import SandboxError
from semalign.sandbox.seccomp import AARCH64, X86_64, filter_program


def judge(program: bytes, architecture: int, number: int, argument: int) -> int:
    """Run a filter as the kernel does."""
    steps, data = list(struct.iter_unpack("=HBBI", program)), {0: number, 4: architecture, 16: argument}
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


@pytest.mark.parametrize(
    ("machine", "architecture", "calls", "clone"),
    [("x86_64", 0xC000003E, X86_64, 56), ("aarch64", 0xC00000B7, AARCH64, 220)],
)
def test_the_filter_refuses_what_it_lists_and_allows_the_rest(machine, architecture, calls, clone):
    program = filter_program(machine)
    refused = {n for n in range(500) if judge(program, architecture, n, 0) != 0x7FFF0000}
    assert refused >= {*calls.values(), clone, 425, 435, 438}
    assert refused - {*calls.values(), clone} == {*range(424, 436), 438, 442, 447}
    assert judge(program, architecture, clone, 0x10000) == 0x7FFF0000  # a thread
    assert judge(program, architecture, clone, 17) == judge(program, architecture, clone, 0x10000000) == 0x50001
    assert judge(program, architecture, 435, 0x10000) == 0x50026  # clone3 is unknown
    assert judge(program, 0x40000003, 0, 0) == 0x80000000  # another set of system calls
    if machine == "x86_64":
        assert judge(program, architecture, 0x40000000 + 57, 0) == 0x50001


def test_no_filter_for_other_machines():
    with pytest.raises(SandboxError, match="no filter of system calls for mips"):
        filter_program("mips")
