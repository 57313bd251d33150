"""What the kernel does for a process that asks, each time in a process of its own."""

import os
import subprocess
import sys

import pytest

from semalign.sandbox.inside import kernel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux")
IMPORTS = "import os, sys\nfrom semalign.sandbox.inside import kernel\nfrom semalign.sandbox.inside.seccomp import *\n"


def run(code, **settings):
    command = [sys.executable, "-c", IMPORTS + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **settings)


def said(code):
    process = run(code)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


def test_memory_is_hidden():
    assert said("kernel.hide_memory()\nimport ctypes\nprint(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))") == "0"


def test_no_capability_is_left():
    lines = said("kernel.drop_capabilities()\nprint(open('/proc/self/status').read())").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh")} == {0}
    assert status["NoNewPrivs"] == "1"


def test_paths_are_restricted(tmp_path):
    if kernel.landlock_abi() < kernel.LANDLOCK_ABI:
        pytest.skip("no Landlock")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    code = f"""
kernel.drop_capabilities()
kernel.restrict_paths(({str(tmp_path / "own")!r},))
def works(path, mode):
    try:
        open(path, mode).close()
        return True
    except PermissionError:
        return False
print(*(works(path, mode) for path, mode in (
    ({str(tmp_path / "own/a")!r}, "r"), ("/dev/null", "w"), ({str(tmp_path / "own/a")!r}, "a"),
    ({str(tmp_path / "own/c")!r}, "w"), ({str(tmp_path / "b")!r}, "r"), ("/proc/self/mem", "r"))))
"""
    assert said(code) == "True True False False False False"


def test_system_calls_are_filtered():
    code = """
kernel.drop_capabilities()
kernel.filter_calls(filter_program(os.uname().machine, os.getpid(), False))
for action in (os.fork, lambda: os.mkfifo('/tmp/x'), lambda: open('/tmp/semalign-x', 'w'), lambda: os.kill(1, 0)):
    try:
        action()
    except OSError as error:
        print(error.errno, end=' ')
"""
    assert said(code) == "1 1 13 1"


@pytest.mark.skipif(os.geteuid() != 0, reason="root")
def test_mounts_are_of_the_process_alone():
    code = """
kernel.own_mounts()
kernel.mount_tmpfs('/mnt', 2**20, 10)
print(sum(' /mnt ' in line for line in open('/proc/self/mountinfo')))
print(sum(' /mnt ' in line for line in open(f'/proc/{os.getppid()}/mountinfo')))
"""
    assert said(code).split() == ["1", "0"]


def test_a_refusal_is_an_error():
    with pytest.raises(OSError, match="the kernel refuses mount"):
        kernel.mount_tmpfs("/nowhere", 1, 1)


@pytest.mark.parametrize("parent", ["os.getppid()", "1234567"])
def test_a_process_dies_with_its_parent(parent):
    inner = f"{IMPORTS}import time\nkernel.die_with({parent})\nprint('x', flush=True)\ntime.sleep(600)"
    outer = "import subprocess\nchild = subprocess.Popen([sys.executable, '-c', "
    outer += f"{inner!r}], stdout=subprocess.PIPE)\nchild.stdout.read(1)\nos._exit(0)"
    assert run(outer).returncode == 0  # it returns when nobody holds the pipe of its errors any more
