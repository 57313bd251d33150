"""The system calls that a generated program may not make, as a filter that the kernel runs.

Namespaces hide everything outside the sandbox. The filter forbids what namespaces still allow: new processes (so that
the limits on memory and processor time of one process hold for the whole sandbox, also for root, whom RLIMIT_NPROC does
not bind), sockets (not all kinds have a namespace), new namespaces with file systems of unlimited size, memory that
belongs to no process, and parts of the kernel that no program under test needs.
"""

import platform
import struct

from semalign.sandbox.errors import SandboxError

CLONE_THREAD = 0x10000
EPERM, ENOSYS = 1, 38
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
X32 = 0x40000000  # x86-64's second set of call numbers
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets into struct seccomp_data

# Numbers from asm/unistd_64.h and asm-generic/unistd.h; numbers from 424 are the same on all machines.
NEW_CALLS = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "pidfd_getfd": 438, "mount_setattr": 442, "memfd_secret": 447,
}  # fmt: skip
X86_64 = {
    "socket": 41, "shmget": 29, "fork": 57, "vfork": 58, "semget": 64, "msgget": 68, "ptrace": 101, "syslog": 103,
    "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166, "add_key": 248, "request_key": 249,
    "keyctl": 250, "mq_open": 240, "unshare": 272, "perf_event_open": 298, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
AARCH64 = {
    "socket": 198, "shmget": 194, "semget": 190, "msgget": 186, "syslog": 116, "ptrace": 117, "pivot_root": 41,
    "chroot": 51, "mount": 40, "umount2": 39, "add_key": 217, "request_key": 218, "keyctl": 219, "mq_open": 180,
    "unshare": 97, "perf_event_open": 241, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "kcmp": 272, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
}  # fmt: skip
# machine: (AUDIT_ARCH, refused calls, number of clone)
MACHINES = {"x86_64": (0xC000003E, X86_64, 56), "aarch64": (0xC00000B7, AARCH64, 220)}
CLONE3 = 435


def filter_program(machine: str | None = None) -> bytes:
    """Return the filter for this machine, an array of ``struct sock_filter`` as for bubblewrap's ``--seccomp``.

    Refused calls fail with EPERM. ``clone`` may only create threads. A filter cannot read the flags of ``clone3``, so
    this call fails with ENOSYS, and the C library falls back to ``clone``.

    Raises:
        SandboxError: for a machine without a table of system calls here.
    """
    machine = machine or platform.machine()
    if machine not in MACHINES:
        raise SandboxError(f"no filter of system calls for {machine}; there is one for {', '.join(MACHINES)}")
    architecture, refused, clone = MACHINES[machine]
    program = [_step(LOAD, ARCHITECTURE), *_unless(EQUAL, architecture, KILL), _step(LOAD, NUMBER)]
    if machine == "x86_64":
        program += _when(AT_LEAST, X32, ERRNO | EPERM)
    program += _when(EQUAL, CLONE3, ERRNO | ENOSYS)
    for number in (*refused.values(), *NEW_CALLS.values()):
        program += _when(EQUAL, number, ERRNO | EPERM)
    program += [_step(EQUAL, clone, 1, 0), _step(RETURN, ALLOW), _step(LOAD, FIRST_ARGUMENT)]
    program += [*_unless(ANY_BIT, CLONE_THREAD, ERRNO | EPERM), _step(RETURN, ALLOW)]
    return b"".join(program)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _when(test: int, value: int, result: int) -> list[bytes]:
    return [_step(test, value, 0, 1), _step(RETURN, result)]


def _unless(test: int, value: int, result: int) -> list[bytes]:
    return [_step(test, value, 1, 0), _step(RETURN, result)]
