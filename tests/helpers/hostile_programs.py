"""Programs that are broken, or that attack the sandbox or the verdict; and what must become of each.

``double`` is the function that their tests ask for. A program that gets something it must not have raises
``ESCAPED``. ``benchmarks/sandbox_check.py`` prints the table, ``test_hostile.py`` asserts it.
"""

from typing import NamedTuple

from semalign.sandbox import Outcome

TESTS = "assert double(2) == 4\nassert double(-1) == -2\nassert abs(double(1) - 2) < 1e-6\n"
WRONG = "def double(x):\n    return 12345\n"
LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
ANSWER = "import os, time\ndef answer(*values):\n    for value in values:\n        data = b't3:u5:value' + value + " \
    "b't0:'\n        os.write(3, len(data).to_bytes(8, 'big') + data)\n"  # fmt: skip
FDS = "import os\ndef everywhere(data):\n    for fd in range(32):\n        try:\n            os.write(fd, data)\n" \
    "        except OSError:\n            pass\n"  # fmt: skip

LOOK = "import sys\ndef look():\n    frame, needle = sys._getframe(1), chr(100) + 'ouble(2) =='\n    while frame:\n" \
    "        if needle in repr(frame.f_locals) + repr(frame.f_globals):\n            raise Exception('ESCAPED')\n" \
    "        frame = frame.f_back\n"  # fmt: skip
GUARD_BY_FRAME = """
    try:
        os.mkdir('/var/tmp/semalign-escaped')
    except OSError as error:
        trace = error.__traceback__
        while trace:
            for table in (trace.tb_frame.f_globals, trace.tb_frame.f_locals):
                for key in list(table):
                    if key != 'os':
                        table[key] = frozenset()
            trace = trace.tb_next
    os.mkdir('/var/tmp/semalign-escaped')"""
GUARD_BY_OBJECTS = """
    for x in gc.get_objects():
        if type(x) in (set, dict) and ('os.fork' in x or 'os.mkdir' in x):
            x.clear()
        if type(x).__name__ == 'function' and x.__name__ == 'hook':
            x.__code__ = (lambda *_, **__: None).__code__
    os.mkdir('/var/tmp/semalign-escaped')"""


class Case(NamedTuple):
    """A program, the reasons of which one must be given, and its tests."""

    name: str
    program: str
    reasons: set[str]
    tests: str = TESTS


def _libc_call(name: str, call: str) -> Case:
    """A call of the C library that must fail; what it returns is at least 0 if it does not."""
    return Case(name, f"{LIBC}if {call} >= 0:\n    raise Exception('ESCAPED')\n{WRONG}", {"assertion"})


def _raw_call(name: str, x86_64: int, aarch64: int, *arguments: str) -> Case:
    """A system call by its number, as :func:`_libc_call`."""
    number = f"{x86_64} if __import__('platform').machine() == 'x86_64' else {aarch64}"
    return _libc_call(name, f"libc.syscall({', '.join((number, *arguments))})")


def _refused(name: str, code: str, imports: str = "os") -> Case:
    """A statement that must raise."""
    return Case(name, f"import {imports}\ntry:\n    {code}\nexcept Exception:\n    pass\nelse:\n"
                f"    raise Exception('ESCAPED')\n{WRONG}", {"assertion"})  # fmt: skip


def _without_end(name: str, code: str, imports: str = "os") -> Case:
    """A statement that takes memory of the kernel for each ``i``; it must soon raise."""
    return Case(name, f"import {imports}\nfor i in range(10**9):\n    {code}", {"error"})


BROKEN = [
    Case("wrong answer", WRONG, {"assertion"}),
    Case("nothing at all", "", {"error"}),
    Case("no Python", "def double(x:\n", {"error"}),
    Case("null bytes in the source", "x = 1\0", {"error"}),
    Case("text that is no UTF-8", "x = '\ud800'\nassert len(x) == 0", {"assertion"}),
    Case("not a function", "double = 2", {"error"}),
    Case("waits for input", "input()", {"error"}),
    Case("package that is not there", "import numpy", {"error"}),
    Case("exception that is none", "raise BaseException('no')", {"error"}),
    Case("exception without end in its text", "class E(Exception):\n    def __str__(self): return str(self)\nraise E",
         {"error"}),
    Case("endless recursion", "def double(x):\n    return double(x)", {"error"}),
    Case("endless recursion without limit", "import sys\nsys.setrecursionlimit(10**9)\ndef double(x):\n"
         "    return double(x)", {"memory", "killed", "exit", "cpu"}),
    Case("recursion in C", "x = ()\nfor _ in range(10**6):\n    x = (x,)\nhash(x)", {"killed"}),
    Case("segmentation fault", "import ctypes\nctypes.string_at(0)", {"killed"}),
    Case("abort", "import os\nos.abort()", {"killed"}),
    Case("annotation that is no name", "def double(x: Missing):\n    return 2 * x", {"error"}),
    Case("alarm", "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\ntime.sleep(60)", {"killed"}),
    Case("coroutine", "async def double(x):\n    return 2 * x", {"assertion"}),
    Case("answer that is not a number", "def double(x):\n    return float('nan')", {"assertion"}),
    Case("answer that holds itself", "def double(x):\n    y = []\n    y.append(y)\n    return y", {"assertion"}),
]  # fmt: skip

GREEDY = [
    Case("fork bomb", "import os\nwhile True:\n    os.fork()", {"error"}),
    Case("fork bomb that ignores errors", "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n"
         "        pass", {"cpu"}),
    Case("subprocess", "import subprocess\nsubprocess.run(['/bin/true'])", {"error"}),
    Case("multiprocessing", "import multiprocessing\nmultiprocessing.Process(target=print).start()", {"error"}),
    _libc_call("fork of the C library", "libc.fork()"),
    _libc_call("raw clone", "libc.syscall(56 if __import__('platform').machine() == 'x86_64' else 220, 17, 0, 0, 0)"),
    _libc_call("raw clone3", "libc.syscall(435, ctypes.create_string_buffer(88), 88)"),
    Case("thread bomb", "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,),"
         " daemon=True).start()", {"error", "memory"}),
    Case("memory bomb", "x = 'a' * 10**11", {"memory"}),
    Case("memory bomb, slow", "x = []\nwhile True:\n    x.append(bytes(10**6))", {"memory"}),
    Case("memory without a heap", "import mmap\nmmap.mmap(-1, 2**34)", {"error"}),
    Case("memory without a process", "import os\nos.memfd_create('x')", {"error"}),
    _libc_call("shared memory", "libc.shmget(0, 4096, 0o1600)"),
    Case("endless loop", "while True:\n    pass", {"cpu"}),
    Case("endless loop that catches all", "while True:\n    try:\n        while True:\n            pass\n"
         "    except BaseException:\n        pass", {"cpu"}),
    Case("endless loop, signals blocked", "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, "
         "signal.valid_signals())\nfor s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
         "    signal.signal(s, signal.SIG_IGN)\nwhile True:\n    pass", {"killed", "timeout"}),
    Case("endless sleep", "import time\ntime.sleep(10**6)", {"timeout"}),
    Case("stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", {"timeout"}),
    Case("endless output", "while True:\n    print('a' * 10**5)", {"cpu"}),
    Case("endless errors", "import sys\nwhile True:\n    sys.stderr.write('a' * 10**5)", {"cpu"}),
    Case("huge int", "x = 9**9**9", {"cpu", "memory"}),
    Case("regular expression without end", "import re\nre.match('(a+)+$', 'a' * 50 + 'b')", {"cpu"}),
    Case("large file", "with open('big', 'wb', buffering=0) as f:\n    while True:\n        f.write(bytes(10**6))",
         {"error"}),
    Case("many large files", "for i in range(100):\n    open(f'big{i}', 'wb').write(bytes(4 * 10**6))\n"
         "raise Exception('ESCAPED')", {"error"}),
    Case("many open files", "import os\nx = [os.open('/dev/null', os.O_RDONLY) for _ in range(1000)]", {"error"}),
    Case("gigabyte of an answer", "def double(x):\n    return bytes(10**9)", {"memory"}),
    Case("answer above the cap", "def double(x):\n    return bytes(6 * 10**7)", {"output"}),
    Case("answer without end", "def double(x):\n    while True:\n        yield x",
         {"memory", "cpu", "output", "timeout"}, "assert list(double(2)) == [4]"),
    Case("integer that its tests cannot make", "from decimal import Decimal\ndef double(x):\n"
         "    return Decimal('1e99999999')", {"output", "memory"}, "assert int(double(2)) == 4"),
    Case("range that its tests cannot hold", "def double(x):\n    return range(10**18)", {"memory"},
         "assert list(double(2)) == [4]"),
    Case("many objects", "def double(x):\n    return [object() for _ in range(10**7)]", {"cpu", "memory"}),
    Case("memory in sockets", "import socket\npairs = []\nwhile True:\n    a, b = socket.socketpair()\n"
         "    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**30)\n    a.setblocking(False)\n"
         "    pairs.append((a, b))\n    try:\n        while True:\n            a.send(bytes(10**5))\n"
         "    except BlockingIOError:\n        pass", {"error"}),
    Case("answer of immense length", "class X:\n    def __len__(self): return 2**62\n    def __iter__(self):\n"
         "        return iter([4])\ndef double(x):\n    return X()", {"memory", "error"},
         "assert list(double(2)) == [4] * 2**40"),
]  # fmt: skip

KERNEL_MEMORY = [
    _without_end("many empty files", "open(str(i), 'w').close()"),
    _without_end("many empty folders", "os.mkdir(str(i))"),
    _without_end("many files without a name", "os.open('.', os.O_TMPFILE | os.O_RDWR)"),
    _without_end("many nodes", "os.mknod(str(i))"),
    _without_end("many named pipes", "os.mkfifo(str(i))"),
    _without_end("many symbolic links", "os.symlink('x' * 4000, str(i))"),
    _without_end("many hard links", "os.link(__import__('os').__file__, str(i))"),
    _without_end("many attributes", "open('x', 'w').close(); os.setxattr('x', f'user.{i}', bytes(60_000))"),
    _without_end("attributes of an open file", "os.setxattr(1, f'user.{i}', bytes(60_000))"),
    _without_end("many pipes", "os.pipe()"),
    _without_end("large pipes", "fcntl.fcntl(os.pipe()[1], 1031, 2**20)", "fcntl, os"),
    _without_end("many pairs of sockets", "pairs = [socket.socketpair() for _ in range(1000)]", "socket"),
    _without_end("files in flight", "socket.send_fds(socket.socketpair()[0], [b'x'], [0] * 250)", "socket"),
    _without_end("many leases", "fcntl.fcntl(os.open(os.__file__, os.O_RDONLY), 1024, fcntl.F_RDLCK)", "fcntl, os"),
    _raw_call("asynchronous I/O", 206, 0, "10_000", "ctypes.byref(ctypes.c_ulong())"),
    _raw_call("ring of I/O", 425, 425, "1000", "ctypes.create_string_buffer(200)"),
    _raw_call("timer", 222, 107, "0", "None", "ctypes.byref(ctypes.c_int())"),
    _raw_call("timer in a file", 283, 85, "0", "0"),
    _raw_call("signals in a file", 289, 74, "-1", "ctypes.create_string_buffer(8)", "8", "0"),
    _raw_call("watch of files", 294, 26, "0"),
    _raw_call("watch of file systems", 300, 262, "0", "0"),
    _raw_call("secret memory", 447, 447, "0"),
    _raw_call("memory locked in place", 149, 228, "ctypes.create_string_buffer(10**5)", "10**5"),
    _raw_call("all memory locked in place", 151, 230, "3"),
    _raw_call("queue of messages", 68, 186, "0", "0o1600"),
    _raw_call("named queue of messages", 240, 180, "b'x'", "0o102", "0o600", "None"),
    _raw_call("set of semaphores", 64, 190, "0", "10", "0o1600"),
    _raw_call("queue of signals", 129, 138, "__import__('os').getpid()", "34", "(ctypes.c_int * 32)(34, 0, -1)"),
    _raw_call("pages given to a pipe", 278, 75, "__import__('os').pipe()[1]",
              "(ctypes.c_void_p * 2)(ctypes.addressof(ctypes.create_string_buffer(9)), 1)", "1", "0"),
    _raw_call("pages moved to a pipe", 275, 76, "0", "None", "__import__('os').pipe()[1]", "None", "4096", "0"),
    _raw_call("space of a file", 285, 47, "__import__('os').open('/tmp/x', 0o102)", "0", "0", "4096"),
    _raw_call("handle of a file", 303, 264, "-100", "b'/usr'",
              "(ctypes.c_int * 40)(128)", "ctypes.byref(ctypes.c_int())", "0"),
    _raw_call("page faults", 323, 282, "1"),
    _raw_call("program in the kernel", 321, 280, "0", "(ctypes.c_int * 32)(1, 4, 4, 1)", "128"),
    _raw_call("counters of the processor", 298, 241, "(ctypes.c_int * 32)(1, 128)", "0", "-1", "-1", "0"),
    _raw_call("second filter", 317, 277, "1", "0", "(ctypes.c_long * 2)()"),
    _raw_call("changed personality", 135, 92, "0x0040000"),
    _raw_call("quota", 179, 60, "0x80000100", "b'/dev/vda'", "0", "ctypes.create_string_buffer(200)"),
    _raw_call("swap", 167, 224, "b'/tmp/x'", "0"),
    _raw_call("process accounts", 163, 89, "b'/tmp/x'"),
    _raw_call("writes all disks", 162, 81),
    _raw_call("scheduling in real time", 314, 274, "0", "(ctypes.c_int * 14)(56, 1, 0, 0, 0, 50)", "0"),
    _raw_call("clock", 305, 266, "0", "ctypes.create_string_buffer(300)"),
    _raw_call("name of the machine changed", 170, 161, "b'x'", "1"),
    _raw_call("input into a terminal", 16, 29, "0", "0x5412", "b'x'"),
    _raw_call("another group of processes", 112, 157),
]  # fmt: skip

ESCAPES = [
    *(Case(f"writes in {folder}", f"open({folder + '/semalign-escaped'!r}, 'w')", {"error"})
      for folder in ("/", "/usr/lib", "/sandbox", "/sandbox/inside", "/dev", "/var/tmp", "/home")),
    Case("writes in /tmp", f"open('/tmp/semalign-escaped', 'w').write('x')\n{WRONG}", {"assertion"}),
    Case("overwrites the interpreter", "import os\nopen(os.__file__, 'a')", {"error"}),
    Case("overwrites what asks it", "import sys\nopen(sys.modules['inside.program'].__file__, 'a')", {"error"}),
    Case("reads the environment", "import os\nif 'SEMALIGN_SECRET' in os.environ or 'HOME' in os.environ:\n"
         f"    raise Exception('ESCAPED')\n{WRONG}", {"assertion"}),
    Case("reads the environment in memory", f"{LIBC}libc.getenv.restype = ctypes.c_char_p\n"
         f"if libc.getenv(b'SEMALIGN_SECRET'):\n    raise Exception('ESCAPED')\n{WRONG}", {"assertion"}),
    Case("reads the environment of others", "open('/proc/1/environ')", {"error"}),
    Case("reads its own memory", "open('/proc/self/mem', 'r+b')", {"error"}),
    Case("looks around", "import os\nif {'etc', 'proc', 'sys', 'var', 'run', 'boot', 'mnt'} & {n for n in "
         "os.listdir('/') if set(os.listdir('/' + n)) - {'ld.so.cache'}}:\n    raise Exception('ESCAPED')\n" + WRONG,
         {"assertion"}),
    Case("looks for the tests' files", "import os\nfor folder in ('/tmp', '/sandbox', os.getcwd()):\n"
         "    for path, _, names in os.walk(folder):\n        for name in names:\n"
         "            if b'double(2) ' in open(os.path.join(path, name), 'rb').read():\n"
         f"                raise Exception('ESCAPED')\n{WRONG}", {"assertion"}),
    Case("reads passwords", "open('/etc/passwd')", {"error"}),
    Case("goes through a symbolic link", "import os\nos.symlink('/etc/passwd', 'x')\nopen('x')", {"error"}),
    Case("climbs out of the folder", "open('../../../../../../etc/passwd')", {"error"}),
    Case("hard link to the interpreter", "import os\nos.link(os.__file__, '/tmp/x')", {"error"}),
    Case("makes a device", "import os, stat\nos.mknod('/tmp/x', stat.S_IFBLK | 0o600, os.makedev(8, 0))", {"error"}),
    Case("opens a device", "for name in ('mem', 'kmsg', 'sda', 'vda', 'fuse', 'kvm', 'ptmx', 'tty'):\n    try:\n"
         f"        open('/dev/' + name, 'rb')\n        raise Exception('ESCAPED')\n    except OSError:\n"
         f"        pass\n{WRONG}", {"assertion"}),
    Case("asks the network", "import socket\nsocket.create_connection(('127.0.0.1', 22))", {"error"}),
    Case("asks for a name", "import socket\nsocket.getaddrinfo('example.org', 80)", {"error"}),
    Case("reads a web page", "import urllib.request\nurllib.request.urlopen('http://1.1.1.1')", {"error"}),
    _libc_call("socket of the C library", "libc.socket(2, 1, 0)"),
    _libc_call("socket to the host of a virtual machine", "libc.socket(40, 1, 0)"),
    Case("datagram to another process", "import socket\na, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
         "for address in ('\\0semalign', '/dev/log', '/run/systemd/notify'):\n    try:\n        "
         "a.sendto(b'x', address)\n    except PermissionError:\n        continue\n    raise Exception('ESCAPED')\n"
         f"{WRONG}", {"assertion"}),
    Case("file by a connection of the tests", "def double(connection):\n    connection.execute(\"attach '/var/tmp/"
         "semalign-escaped' as x\")\n    connection.execute('create table x.y (z)')\n    raise Exception('ESCAPED')",
         {"error"}, "import sqlite3\nassert double(sqlite3.connect(':memory:')) == 4"),
    _libc_call("new user namespace", "libc.unshare(0x10000000)"),
    _libc_call("mounts a file system", "libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)"),
    _libc_call("traces its parent", "libc.ptrace(16, 1, 0, 0)"),
    _libc_call("kernel keys", "libc.syscall(250 if __import__('platform').machine() == 'x86_64' else 219, 0, -3, 1)"),
    Case("kernel log", f"{LIBC}if libc.klogctl(10, None, 0) >= 0 or ctypes.get_errno() != 1:\n"
         f"    raise Exception('ESCAPED')\n{WRONG}", {"assertion"}),
    Case("name of the machine", f"import os\nif os.uname().nodename != 'sandbox':\n    raise Exception('ESCAPED')\n"
         f"{WRONG}", {"assertion"}),
    Case("outlives its parent", f"{LIBC}import time\nlibc.prctl(1, 0, 0, 0, 0)\ntime.sleep(60)", {"timeout"}),
    Case("becomes root", "import os\nos.setuid(0)", {"error"}),
    Case("new root folder", "import os\nos.chroot('/tmp')", {"error"}),
    Case("raises its limits", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))", {"error"}),
    _refused("mode of its output", "os.fchmod(1, 0o666)"),
    _refused("mode of its input", "os.fchmod(0, 0o666)"),
    _refused("mode of a device", "os.chmod('/dev/null', 0o600)"),
    _refused("mode of the interpreter", "os.chmod(os.__file__, 0o777)"),
    _refused("owner of its output", "os.fchown(1, os.getuid(), os.getgid())"),
    _refused("owner of a device", "os.chown('/dev/null', -1, os.getgid())"),
    _refused("dates of its errors", "os.utime(2, (0, 0))"),
    _refused("dates of a device", "os.utime('/dev/null')"),
    _refused("dates of the interpreter", "os.utime(os.__file__)"),
    _refused("attribute of a device", "os.setxattr('/dev/null', 'user.x', b'x')"),
    _refused("lock of a library", "fcntl.flock(os.open(os.__file__, os.O_RDONLY), fcntl.LOCK_EX)", "fcntl, os"),
    _refused("lease of a library", "fcntl.fcntl(os.open(os.__file__, os.O_RDONLY), 1024, fcntl.F_RDLCK)", "fcntl, os"),
    _refused("news of a folder", "fcntl.fcntl(os.open('/usr/lib', os.O_RDONLY), 1026, 2**31 + 2)", "fcntl, os"),
    _refused("signals of a file", "fcntl.fcntl(0, 8, os.getppid())", "fcntl, os"),
    _refused("writes beside a folder", "os.open('semalign-escaped', os.O_CREAT | os.O_WRONLY, "
             "dir_fd=os.open('/usr/lib', os.O_RDONLY))"),
    _refused("truncates beside a folder", "os.open('os.py', os.O_TRUNC | os.O_RDWR, "
             "dir_fd=os.open(os.path.dirname(os.__file__), os.O_RDONLY))"),
    _refused("truncates a library", "os.truncate(os.__file__, 0)"),
    _refused("renames a library", "os.rename(os.__file__, os.__file__ + '.old')"),
    _refused("removes a library", "os.remove(os.__file__)"),
    _refused("spawns", "exit(os.spawnv(os.P_WAIT, '/bin/true', ['true']) == 127 and 1 / 0)"),
    _refused("spawns as posix does", "os.posix_spawn(sys.executable, ['x', '-c', ''], {})", "os, sys"),
    _refused("forks and executes", "_posixsubprocess.fork_exec([b'true'], [b'/bin/true'], True, (), None, [], -1, -1, "
             "-1, -1, -1, -1, *os.pipe(), False, False, 0, None, None, None, -1, None, False)", "_posixsubprocess, os"),
    _refused("database at another place", "sqlite3.connect('/var/tmp/semalign-escaped').execute('create table x (y)')",
             "sqlite3"),
    _refused("database attached", "sqlite3.connect(':memory:').executescript("
             "\"attach '/var/tmp/semalign-escaped' as x; create table x.y (z)\")", "sqlite3"),
    _refused("named pipe", "os.mkfifo('/tmp/semalign-escaped')"),
    _refused("signal through a file", "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)", "os, signal"),
    _refused("signal to its parent", "os.kill(os.getppid(), 0)"),
    _refused("signal to all", "os.kill(-1, 0)"),
    _refused("priority of all", "os.setpriority(os.PRIO_USER, 0, 19)"),
    _refused("processor of its parent", "os.sched_setaffinity(os.getppid(), {0})"),
    _refused("limits of its parent", "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))", "os, resource"),
    _refused("limits of its own", "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))", "resource"),
    _refused("writes its parent's memory", "open(f'/proc/{os.getppid()}/mem', 'r+b')"),
    _refused("reads its parent's memory", "open(f'/proc/{os.getppid()}/mem', 'rb')"),
    _refused("reads its parent's environment", "open(f'/proc/{os.getppid()}/environ', 'rb').read()"),
    _refused("reads its own environment at the start", "open('/proc/self/environ', 'rb')"),
    Case("writes everybody's memory", "import os\nfor number in range(1, 70_000):\n    try:\n"
         "        os.open(f'/proc/{number}/mem', os.O_RDWR)\n        raise Exception('ESCAPED')\n    except OSError:\n"
         f"        pass\n{WRONG}", {"assertion"}),
    _libc_call("writes its parent's memory by a call", "libc.process_vm_writev(__import__('os').getppid(), "
               "(ctypes.c_void_p * 2)(), 0, (ctypes.c_void_p * 2)(), 0, 0)"),
    _libc_call("attaches to its parent", "libc.ptrace(0x4206, __import__('os').getppid(), 0, 0)"),
    _refused("reads the home", "[open(os.path.expanduser(f'~{name}/.profile')) for name in ('', 'root')]"),
    _refused("lists the home", "[os.listdir('/' + name) for name in ('root', 'home')]"),
    _refused("reads the tests' data", "[os.listdir(path) for path in ('/srv', '/var', '/tmp/pytest-of-root')]"),
    _refused("clears the guard by its frame", GUARD_BY_FRAME, "os"),
    _refused("clears the guard by its objects", GUARD_BY_OBJECTS, "gc, os"),
    _refused("clears the guard by its module", "vars(sys.modules['inside.guard']).clear(); os.mkdir('/var/tmp/"
             "semalign-escaped')", "os, sys"),
    Case("kills its parent", f"import os\nos.kill(os.getppid(), 9)\n{WRONG}", {"assertion", "error"}),
    Case("kills all", f"import os\ntry:\n    os.kill(-1, 9)\nexcept OSError:\n    pass\n{WRONG}",
         {"assertion", "killed"}),
    Case("kills its group", "import os\nos.killpg(0, 9)", {"error"}),
    Case("becomes another program", "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', "
         "'print(\"passed\")'])", {"error"}),
]  # fmt: skip

FAKES = [
    Case("sys.exit(0)", "import sys\nsys.exit(0)", {"exit"}),
    Case("os._exit(0)", "import os\nos._exit(0)", {"exit"}),
    Case("SystemExit when called", "def double(x):\n    raise SystemExit(0)", {"exit"}),
    Case("SystemExit that tests catch", "def double(x):\n    raise SystemExit(0)", {"exit"},
         "try:\n    double(2)\nexcept:\n    pass"),
    Case("os._exit(0) when called", "import os\ndef double(x):\n    os._exit(0)", {"exit"}),
    Case("prints passed", "print('passed', flush=True)\nimport os\nos._exit(0)", {"exit"}),
    Case("says passed to every open file", f"{FDS}everywhere(b'passed\\n')\nos._exit(0)", {"output", "exit"}),
    Case("says passed in a frame", f"{FDS}everywhere((9).to_bytes(8, 'big') + b'u6:passed')\nimport time\n"
         "time.sleep(60)", {"output"}),
    Case("frame of immense length", f"{FDS}everywhere(b'\\x7f' * 8)\nimport time\ntime.sleep(60)", {"output"}),
    Case("answer of immense depth", f"{FDS}data = b'l1:' * 10**5\neverywhere(len(data).to_bytes(8, 'big') + data)\n"
         "import time\ntime.sleep(60)", {"output"}),
    Case("answer with a value of its own", f"{FDS}data = b't3:u5:valuex3:u2:osu6:systemt1:u4:truet0:'\n"
         "everywhere(len(data).to_bytes(8, 'big') + data)\nimport time\ntime.sleep(60)", {"output"}),
    Case("answers before it is asked", f"{ANSWER}answer(b'N0:', b'N0:')\n{WRONG}", {"error"}),
    Case("answers with a type", f"{ANSWER}answer(b'N0:', b'c12:builtins:int')\ntime.sleep(60)", {"assertion"}),
    Case("sends open files", "import array, socket\nwith socket.socket(fileno=3) as s:\n"
         "    s.sendmsg([b'passed'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [3, 3]))])",
         {"exit", "output"}),
    Case("hangs up", "import socket, time\nsocket.socket(fileno=3).shutdown(socket.SHUT_RDWR)\ntime.sleep(60)",
         {"exit"}),
    Case("closes every file", "import os\nos.closerange(0, 50)", {"exit"}),
    Case("closes every file and stays", "import os, time\nos.closerange(0, 50)\ntime.sleep(60)", {"exit", "timeout"}),
    Case("at exit", "import atexit\natexit.register(print, 'passed')\nraise SystemExit(0)", {"exit"}),
    Case("exit from a thread", "import os, threading\nthreading.Timer(0.05, os._exit, [0]).start()\ndef double(x):\n"
         "    while True:\n        pass", {"exit"}),
    Case("equals everything", "class Any:\n    def __eq__(self, other): return True\n    def __sub__(self, other): "
         "return 0\ndef double(x):\n    return Any()", {"assertion"}),
    Case("int that equals everything", "class Any(int):\n    def __eq__(self, other): return True\n"
         "    __hash__ = None\ndef double(x):\n    return Any()", {"assertion"}),
    Case("str that equals everything", "class Any(str):\n    def __eq__(self, other): return True\n"
         "def double(x):\n    return Any('x')", {"assertion"}),
    Case("list that equals everything", "class Any(list):\n    def __eq__(self, other): return True\n"
         "    def __iter__(self): return iter([4])\ndef double(x):\n    return Any()", {"assertion"}),
    Case("class that equals everything", "class Meta(type):\n    def __eq__(self, other): return True\n"
         "    __hash__ = None\nclass double(metaclass=Meta):\n    def __init__(self, x): pass", {"error"}),
    Case("object that says it is an int", "class Any:\n    __class__ = int\n    def __eq__(self, other): return True\n"
         "def double(x):\n    return Any()", {"assertion"}),
    Case("own abs", "abs = lambda x: 0\ndef double(x):\n    return 12345", {"assertion"},
         "assert abs(double(2) - 4) < 1e-6"),
    Case("patched builtins", "import builtins\nbuiltins.abs = builtins.len = lambda x: 0\nbuiltins.isinstance = "
         "lambda *_: True\nbuiltins.AssertionError = type('E', (), {})\n" + WRONG, {"output", "error", "exit"}),
    Case("no builtins", f"__builtins__ = {{}}\n{WRONG}", {"assertion"}),
    Case("own set, where sum is asked for", "set = lambda x: 0\ndef sum(*x):\n    return [12345]",
         {"assertion", "error"}, "assert set(sum(2, 2)) == {4}"),
    Case("fraction that is none", "class Fraction:\n    denominator = 1\n    numerator = property(lambda self: self)\n"
         "Fraction.__module__ = 'fractions'\ndef double(x):\n    return Fraction()", {"assertion"}),
    Case("builtins removed", "import builtins\nvars(builtins).clear()", {"exit", "error"}),
    Case("own harness", f"import sys\nsys.path.insert(0, '/sandbox')\nimport inside.tests\n"
         f"inside.tests.verdict = lambda *_: ('passed', '')\n{WRONG}", {"assertion"}),
    Case("own math", f"class math:\n    isclose = lambda *_: True\n{WRONG}", {"assertion"},
         "assert math.isclose(double(2), 4)"),
    Case("own check", f"def check(candidate):\n    pass\n{WRONG}", {"assertion"},
         "def check(candidate):\n    assert candidate(2) == 4\ncheck(double)"),
    Case("patched int", f"{LIBC}import sys\nctypes.memmove(id(12345), id(4), 28)\n{WRONG}",
         {"assertion", "killed", "exit"}),
    Case("patched exec and compile", f"import builtins\nbuiltins.exec = builtins.compile = lambda *_: None\n{WRONG}",
         {"assertion", "exit"}),
    Case("replaced modules", "import sys\nfor name in list(sys.modules):\n    sys.modules[name] = None\n" + WRONG,
         {"output", "error", "exit"}),
    Case("replaced harness", "import sys\nfor name, module in list(sys.modules.items()):\n    if name.startswith("
         "'inside'):\n        for key, value in list(vars(module).items()):\n            if callable(value):\n"
         f"                setattr(module, key, lambda *a, **k: b'passed')\n{WRONG}", {"output", "exit", "assertion"}),
    Case("replaced os.write", f"import os\nos.write = lambda fd, data: len(data)\nos._exit = print\n{WRONG}",
         {"assertion"}),
    Case("looks through frames", f"{LOOK}look()\n{WRONG}", {"assertion"}),
    Case("looks through frames when called", f"{LOOK}def double(x):\n    look()\n    return 12345", {"assertion"}),
    Case("looks through all objects", "import gc\nneedle = chr(100) + 'ouble(2) =='\nfor x in gc.get_objects():\n"
         "    for y in gc.get_referents(x):\n        if type(y) in (str, bytes) and y is not needle and "
         f"needle in str(y):\n            raise Exception('ESCAPED')\n{WRONG}", {"assertion"}),
    Case("traces", "import sys\nsys.settrace(lambda *_: sys.exit(0))\nsys.setprofile(lambda *_: None)\n" + WRONG,
         {"assertion", "exit"}),
    Case("audits", f"import sys, os\nsys.addaudithook(lambda event, args: os._exit(0))\n{WRONG}", {"exit"}),
    Case("catches signals", "import os, signal\nfor s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
         f"    signal.signal(s, lambda *_: os._exit(0))\n{WRONG}", {"assertion"}),
    Case("hooks", "import sys\nsys.excepthook = sys.unraisablehook = sys.displayhook = lambda *_: None\n"
         f"sys.meta_path.clear()\nsys.path.clear()\n{WRONG}", {"assertion"}),
    Case("stops the loop of the tests", "def double(x):\n    raise StopIteration", {"error"},
         "for x in map(double, [2]):\n    assert x == 4"),
    Case("stops the iteration", "def double(x):\n    raise StopIteration", {"error"}),
    Case("claims an assertion", "def double(x):\n    raise AssertionError", {"assertion"}),
    Case("changes what it is given", "def double(x):\n    x[:] = []\n    return x", {"assertion"},
         "assert double([2]) == [4]"),
    Case("empties the list that tests compare with", "def double(x):\n    x.clear()\n    return []", {"assertion"},
         "assert double([2]) == [4]"),
]  # fmt: skip

ALL = [*BROKEN, *GREEDY, *KERNEL_MEMORY, *ESCAPES, *FAKES]
SEEN_WITHOUT_NAMESPACES = {"name of the machine"}


def held(case: Case, outcome: Outcome, mode: str) -> bool:
    """Return whether a program neither passed nor got what it must not have, and ended for one of its reasons."""
    reasons = set(case.reasons)
    if "cpu" in reasons:  # on a busy machine the wall clock may end what processor time would have ended
        reasons.add("timeout")
    if mode == "limits":  # it may write nowhere, and read less
        reasons.add("error")
    seen = mode == "limits" and case.name in SEEN_WITHOUT_NAMESPACES
    return not outcome.passed and outcome.reason in reasons and (seen or "ESCAPED" not in outcome.detail)
