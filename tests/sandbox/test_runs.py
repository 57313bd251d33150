"""Programs with their tests: what passes, what fails and why, and what they can reach."""

import os
import subprocess
from pathlib import Path

import pytest

from semalign.sandbox import Outcome, isolation, run_many, run_tests

RIGHT = "def double(x):\n    return 2 * x\n"
TESTS = "assert double(2) == 4\nassert double(-1) == -2\n"


def assert_passes(program, tests, **settings):
    assert run_tests(program, tests, **settings) == Outcome(True, "passed", "")


def test_a_right_program_passes(mode):
    assert_passes(RIGHT, TESTS, mode=mode)


def test_a_wrong_program_says_what_went_wrong(mode):
    assert run_tests("def double(x): return x", TESTS, mode=mode) == Outcome(False, "assertion", "AssertionError")
    assert run_tests("", TESTS, mode=mode) == Outcome(False, "error", "NameError: name 'double' is not defined")
    assert run_tests("1 / 0", TESTS, mode=mode) == Outcome(False, "error", "ZeroDivisionError: division by zero")
    assert run_tests(RIGHT, "assert double(2) == 5, 'two'") == Outcome(False, "assertion", "AssertionError: two")
    assert run_tests(RIGHT, "assert (") == Outcome(
        False, "error", "SyntaxError: '(' was never closed (<tests>, line 1)"
    )


@pytest.mark.slow
def test_the_wall_clock_and_processor_time_end_it(mode):
    sleep = "import time\ntime.sleep(60)"
    assert run_tests(sleep, "", timeout=0.2, mode=mode) == Outcome(False, "timeout", "after 0.2 s")
    loop = "while True:\n    pass"
    assert run_tests(loop, "", timeout=60, cpu_seconds=1, mode=mode) == Outcome(False, "cpu", "SIGXCPU")
    forever = "def double(x):\n    while True:\n        pass"
    assert run_tests(forever, TESTS, timeout=60, cpu_seconds=1, mode=mode).reason == "cpu"
    assert run_tests(RIGHT, loop, timeout=60, cpu_seconds=1, mode=mode).reason == "output"


def test_memory_is_limited(mode):
    program = "def double(x):\n    return len(bytes(10**8)) and 2 * x"
    assert_passes(program, TESTS, mode=mode)
    assert run_tests(program, TESTS, memory=10**8, mode=mode) == Outcome(False, "memory", "MemoryError")


@pytest.mark.parametrize(
    ("program", "tests"),
    [
        ("def f(x): x.append(3)", "x = [1]\nf(x)\nassert x == [1, 3]"),
        ("def f(x): x['a'] = 1; x.pop('b')", "x = {'b': 2}\nf(x)\nassert x == {'a': 1}"),
        ("def f(x): x.add(2)", "x = {1}\nf(x)\nassert x == {1, 2}"),
        ("def f(x): x[0].append(1)", "x = [[]]\nf(x)\nassert x == [[1]]"),
        ("def f(a, *, b): return a - b", "assert f(3, b=1) == 2"),
        ("def f(): return float('nan'), float('inf')", "a, b = f()\nassert a != a and b == float('inf')"),
        ("def f(): return 2**100_000", "assert f() == 2**100_000"),
        ("from collections import Counter\ndef f(x): return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
        ("import collections\ndef f(): return collections.namedtuple('p', 'a b')(1, 2)", "assert f() == (1, 2)"),
        ("from fractions import Fraction\ndef f(): return Fraction(1, 2)", "assert f() == 0.5"),
        ("def f(): return (x * x for x in range(4))", "assert list(f()) == [0, 1, 4, 9]"),
        ("def f(): return {'a': 1}.keys()", "assert sorted(f()) == ['a'] and len(f()) == 1"),
        ("import re\ndef f(): return re.match('(a)b', 'ab')", "assert f() and f().group(1) == 'a' and f()[1] == 'a'"),
        ("def f(): return None", "assert f() is None"),
        ("def f(): return True", "assert f() is True"),
        ("def f(x): return type(x)", "assert f(1) is int and f('') is str"),
        ("def f(kind): return kind('1')", "assert f(int) == 1"),
        ("def f():\n    raise ValueError('no')", "try:\n    f()\nexcept ValueError as e:\n    assert str(e) == 'no'\n"
         "else:\n    assert False"),
        ("class Node:\n    def __init__(self, value): self.value, self.left = value, None\n"
         "def depth(node): return 1 + depth(node.left) if node else 0",
         "root = Node(1)\nroot.left = Node(2)\nassert depth(root) == 2 and root.left.value == 2"),
        ("class Stack(list):\n    pass\nclass Box:\n    def items(self): return Stack([1])",
         "assert Box().items() == [1]"),
        ("LIMIT = 3\ndef f(): return LIMIT", "assert f() == LIMIT"),
        ("def f(): return object()", "assert f() != f() and f() != 1"),
        ("x = object()\ndef f(): return [x, x]", "a, b = f()\nassert a is b and a == b and a is x"),
        ("def sum(a, b): return a * b", "assert sum(2, 5) == 10"),
        ("def f(x): return x\ndef abs(x): return 0", "assert abs(f(-3)) == 3"),
        ("import math\ndef f(): return 3.0", "assert math.sqrt(9) == f()"),
        ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 0\ndef f(p): return p.x",
         "assert f(P(3)) == 3"),
        ("", ""),
    ],
)  # fmt: skip
def test_tests_see_what_the_program_does(program, tests):
    assert_passes(program, tests)


def test_objects_equal_only_themselves():
    program = "class Any:\n    def __eq__(self, other): return True\n    __hash__ = None\ndef f(): return Any()"
    assert run_tests(program, "assert f() == 1").reason == "assertion"
    assert run_tests(program, "assert f() == f()").reason == "assertion"


def test_tests_cannot_lend_functions():
    outcome = run_tests("def f(g): return g(1)", "assert f(lambda x: x) == 1")
    assert outcome.reason == "error" and "not a function" in outcome.detail


def test_a_program_that_is_gone_cannot_be_caught():
    tests = "try:\n    f()\nexcept BaseException:\n    pass\n"
    assert run_tests("import os\ndef f(): os._exit(7)", tests) == Outcome(
        False, "exit", "exit code 7 before its tests ended"
    )


def test_programs_see_nothing_of_the_environment(mode, monkeypatch):
    monkeypatch.setenv("SECRET", "42")
    assert_passes(
        "import os\ndef f(): return sorted(os.environ)", "assert not {'SECRET', 'HOME'} & set(f())", mode=mode
    )


def test_programs_may_write_in_a_folder_of_their_own_in_bubblewrap_and_nowhere_without(mode):
    program = (
        "import os, shutil, tempfile\nopen('a', 'w').write('b')\nos.makedirs('c/d')\nos.rename('a', 'c/d/a')\n"
        "with tempfile.TemporaryFile() as f:\n    f.write(b'a')\nshutil.rmtree('c')\n"
        "with open(os.devnull, 'w') as f:\n    print(1, file=f)\nraise ValueError(os.getcwd(), os.listdir())"
    )
    outcome = run_tests(program, "", mode=mode)
    if mode == "bubblewrap":
        assert outcome.detail == "ValueError: ('/tmp', [])"
    else:
        assert outcome == Outcome(False, "error", "PermissionError: [Errno 13] Permission denied: 'a'")


def test_programs_may_discard_what_they_write(mode):
    assert_passes("import os\nwith open(os.devnull, 'w') as f:\n    print(1, file=f)\nprint(2)", "", mode=mode)


@pytest.mark.parametrize(
    "program",
    [
        "import threading, time\nthreads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(30)]\n"
        "for t in threads:\n    t.start()\nfor t in threads:\n    t.join()",
        "import zoneinfo\nassert zoneinfo.ZoneInfo('Europe/Berlin')",
        "import asyncio\nassert asyncio.run(asyncio.sleep(0.001, 3)) == 3",
        "import sqlite3\nassert sqlite3.connect(':memory:').execute('select 1').fetchone() == (1,)",
        "import concurrent.futures as c\nwith c.ThreadPoolExecutor(8) as p:\n    assert list(p.map(abs, [-1])) == [1]",
        "import select, os\nr, w = os.pipe()\nos.write(w, b'x')\nassert select.select([r], [], [], 1)[0] == [r]",
        "import signal, os\nsignal.signal(signal.SIGUSR1, lambda *_: None)\nos.kill(os.getpid(), signal.SIGUSR1)",
        "import mmap, random, secrets, uuid, decimal, hashlib, json, csv, heapq, itertools, statistics\nuuid.uuid4()",
        "import resource\nassert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0",
        "import ctypes\nassert ctypes.c_int(3).value == 3",
    ],
)
def test_the_standard_library_works(mode, program):
    if "zoneinfo" in program and not Path("/usr/share/zoneinfo").exists():
        pytest.skip("no time zones")
    assert_passes(program, "", mode=mode)


def test_a_program_is_compiled_as_python_compiles_it(mode):
    kept = "def f(x: int): pass\nassert f.__annotations__ == {'x': int}"
    assert_passes(kept, "", mode=mode)
    assert_passes("", "def f(x: int): pass\nassert f.__annotations__ == {'x': int}", mode=mode)
    assert run_tests("def f(x: List[int]): pass", "", mode=mode).detail == "NameError: name 'List' is not defined"


def test_set_order_is_the_same_in_every_run(mode):
    program = "raise ValueError(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert len({run_tests(program, "", mode=mode).detail for _ in range(3)}) == 1


HARMS = [
    "os.fork()",
    "subprocess.run(['true'])",
    "os.kill(os.getppid(), 15)",
    "socket.socket()",
    "open({!r} + '/x', 'w')",
    "os.rename({!r} + '/file', {!r} + '/x')",
    "shutil.rmtree({!r})",
    "sqlite3.connect({!r} + '/x').execute('create table x (y)')",
    "os.utime({!r}, (0, 0))",
    "os.listdir({!r})",
]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("without", ["landlock", "filter", "guard"])
def test_without_namespaces_programs_change_and_read_nothing(monkeypatch, without, harm, tmp_path):
    if without != "guard" and isolation.mechanism("limits") == "guard":
        pytest.skip("no filter of system calls")
    if without == "landlock" and isolation.mechanism("limits") != "landlock":
        pytest.skip("no Landlock")
    monkeypatch.setattr(isolation, "mechanism", lambda mode: without)
    (tmp_path / "file").touch()
    harm = harm.replace("{!r}", repr(str(tmp_path)))
    outcome = run_tests(f"import os, shutil, socket, sqlite3, subprocess\n{harm}", "", mode="limits")
    assert outcome.reason == "error"
    assert outcome.detail.startswith(("PermissionError", "OperationalError")), outcome
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert tmp_path.stat().st_mtime > 0
    assert_passes(RIGHT, TESTS, mode="limits")


def test_many_keep_their_order_and_leave_no_process(mode):
    cases = [(f"x = {i}", "assert x % 3 == 0") for i in range(12)]
    assert [outcome.passed for outcome in run_many(cases, mode=mode)] == [i % 3 == 0 for i in range(12)]
    children = subprocess.check_output(["ps", "--ppid", str(os.getpid()), "-o", "args="], text=True)
    assert "inside" not in children
