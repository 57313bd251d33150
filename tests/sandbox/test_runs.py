"""Programs with their tests: what passes, what fails and why, and what they can reach."""

import os
import subprocess
from pathlib import Path

import pytest

from semalign.sandbox import Outcome, run_many, run_tests

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


def test_a_program_gets_no_frame_of_its_tests():
    outcome = run_tests("def f(x): return 1", "import sys\nassert f(sys._getframe()) == 1")
    assert outcome.reason == "error" and "cannot give a program a frame" in outcome.detail


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


def test_programs_may_write_in_their_own_folder_which_then_goes(mode):
    program = (
        "import os, tempfile\nopen('a', 'w').write('b')\n"
        "with tempfile.TemporaryFile() as f:\n    f.write(b'a')\nraise ValueError(os.path.abspath('a'))"
    )
    path = run_tests(program, "", mode=mode).detail.removeprefix("ValueError: ")
    assert path.startswith("/") and not Path(path).exists()


def test_a_program_is_compiled_as_python_compiles_it(mode):
    kept = "def f(x: int): pass\nassert f.__annotations__ == {'x': int}"
    assert_passes(kept, "", mode=mode)
    assert_passes("", "def f(x: int): pass\nassert f.__annotations__ == {'x': int}", mode=mode)
    assert run_tests("def f(x: List[int]): pass", "", mode=mode).detail == "NameError: name 'List' is not defined"


def test_set_order_is_the_same_in_every_run(mode):
    program = "raise ValueError(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert len({run_tests(program, "", mode=mode).detail for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("import os\nos.fork()", "PermissionError: os.fork is not allowed"),
        ("import subprocess\nsubprocess.run(['true'])", "PermissionError: subprocess.Popen is not allowed"),
        ("import os\nos.kill(os.getppid(), 15)", "PermissionError: os.kill is not allowed"),
        ("import socket\nsocket.socket()", "PermissionError: socket"),
        ("import ctypes", "PermissionError: ctypes.dlopen is not allowed"),
        ("open('/tmp/semalign-escaped', 'w')", "PermissionError: open outside"),
        ("import os\nos.rename('../x', '../y')", "PermissionError: os.rename outside"),
    ],
)
def test_limits_only_keep_careless_programs_from_harm(program, detail):
    outcome = run_tests(program, "", mode="limits")
    assert outcome.reason == "error" and outcome.detail.startswith(detail)


@pytest.mark.parametrize("harm", ["shutil.rmtree({!r})", "sqlite3.connect({!r} + '/x')", "os.utime({!r}, (0, 0))"])
def test_limits_only_leave_other_folders_as_they_are(harm, tmp_path):
    (tmp_path / "file").touch()
    outcome = run_tests(f"import os, shutil, sqlite3\n{harm.format(str(tmp_path))}", "", mode="limits")
    assert outcome.reason == "error" and "outside the working folder" in outcome.detail
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert tmp_path.stat().st_mtime > 0
    assert_passes("import os, shutil\nos.makedirs('a/b')\nshutil.rmtree('a')", "", mode="limits")


def test_many_keep_their_order_and_leave_no_process(mode):
    cases = [(f"x = {i}", "assert x % 3 == 0") for i in range(12)]
    assert [outcome.passed for outcome in run_many(cases, mode=mode)] == [i % 3 == 0 for i in range(12)]
    children = subprocess.check_output(["ps", "--ppid", str(os.getpid()), "-o", "args="], text=True)
    assert "inside" not in children
