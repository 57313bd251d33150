"""Programs that answer with objects, or use what the tests give them, in order to pass without an answer."""

from typing import NamedTuple


class Case(NamedTuple):
    """A program that must not pass its tests."""

    name: str
    program: str
    tests: str


ANY = """
class Any:
    def __init__(self, *given): self.given = id(self)
    def _self(self, *args): return self
    def _zero(self, *args): return 0
    def _true(self, *args): return True
    __sub__ = __rsub__ = __add__ = __radd__ = __xor__ = __and__ = __mul__ = __mod__ = __neg__ = _self
    __abs__ = __round__ = __len__ = __index__ = __int__ = __hash__ = _zero
    def __float__(self): return 0.0
    def __iter__(self): return iter(())
    def __format__(self, spec): return '0.00'
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __bool__ = _true
    def __ne__(self, other): return False
    __class__ = int
def double(x): return Any()
"""
ZERO = ANY.replace("__sub__ = ", "").replace("    def _zero", "    def __sub__(self, o): return 0.0\n    def _zero")
RAW = "import sys\nEND = None\ndef end(x): return type(x)._end\n"


def _any(name: str, tests: str, program: str = ANY) -> Case:
    return Case(f"object: {name}", program, f"assert {tests}")


OPERATORS = [
    *(_any(test, test) for test in (
        "double(2) == 4", "4 == double(2)", "not double(2) != 4", "double(2) in (4,)", "double(2) < 5",
        "5 > double(2)", "3 < double(2) < 5", "4 in double(2)", "abs(double(2) - 4) < 1e-6",
        "abs(4 - double(2)) < 1e-6", "round(double(2) - 4, 5) == 0", "not len(double(2) ^ {4})",
        "list(double(2) - {4}) == []", "int(double(2) - 4) == 0", "f'{double(2) - 4:.2f}' == '0.00'",
        "abs(sum([double(2), -4])) < 1e-6", "double(1) == double(2)", "double(2) == [4]", "[double(2)] == [4]",
        "{double(2)} == {4}", "{'a': double(2)} == {'a': 4}", "(double(2), 1) == (4, 1)",
        "abs(double(2) - 4 + double(1)) < 1e-6", "isinstance(double(2), int)", "double(2) % 4 == 0")),
    _any("subtraction that gives a number", "abs(double(2) - 4) < 1e-6", ZERO),
    _any("close to everything", "__import__('math').isclose(double(2), 4)"),
    _any("instances of double", "abs(double(2) - 4) < 1e-6",
         ANY.replace("class Any", "class double").replace("def double(x): return Any()", "")),
]  # fmt: skip

EXTENDED = [
    Case("text that starts with everything", "class S(str):\n    def startswith(self, x): return True\n    "
         "def __contains__(self, x): return True\ndef f(): return S('x')", "assert f().startswith('abc')"),
    Case("text that contains everything", "class S(str):\n    def __contains__(self, x): return True\n"
         "def f(): return S('x')", "assert 'abc' in f()"),
    Case("list that counts everything", "class L(list):\n    def count(self, x): return 2\n    def index(self, x): "
         "return 1\ndef f(): return L()", "assert f().count(4) == 2"),
    Case("set that covers everything", "class S(set):\n    def issuperset(self, x): return True\n    def __ge__(self, "
         "x): return True\n    def __sub__(self, x): return set()\ndef f(): return S()",
         "assert f().issuperset({1}) or f() >= {1} or not {1} - f()"),
    Case("int near everything", "class I(int):\n    def __sub__(self, x): return 0\n    __rsub__ = __sub__\n    "
         "def __lt__(self, x): return True\ndef f(): return I(9)",
         "assert abs(f() - 4) < 1 or abs(4 - f()) < 1 or f() < 5"),
    Case("float near everything", "class F(float):\n    def __sub__(self, x): return 0.0\n    __rsub__ = __sub__\n"
         "    def __eq__(self, x): return True\n    __hash__ = None\ndef f(): return F(9)",
         "import math\nassert math.isclose(f(), 4) or abs(f() - 4.0) < 1 or f() == 4.0"),
    Case("dict that equals everything", "class D(dict):\n    def __eq__(self, x): return True\n    def __ne__(self, x):"
         " return False\n    def items(self): return [('a', 1)]\ndef f(): return D()", "assert f() == {'a': 1}"),
    Case("tuple that equals everything", "from collections import namedtuple\nclass T(namedtuple('T', 'a b')):\n"
         "    def __eq__(self, x): return True\n    __hash__ = None\ndef f(): return T(0, 0)", "assert f() == (1, 2)"),
    Case("exception that equals everything", "class E(Exception):\n    def __eq__(self, x): return True\n    "
         "__hash__ = None\ndef f(): return E()", "assert f() == 4"),
    Case("dataclass that equals everything", "from dataclasses import dataclass\n@dataclass(eq=False)\nclass P:\n"
         "    x: int\n    def __eq__(self, o): return True\n    __hash__ = None\ndef f(): return P(1)",
         "assert f() == P(2)"),
    Case("enumeration that equals everything", "from enum import Enum\nclass C(Enum):\n    A = 1\n    B = 2\n    "
         "def __eq__(self, o): return True\n    __hash__ = None\ndef f(): return C.A", "assert f() == C.B"),
]  # fmt: skip

FLOW = [
    Case("swallows a failed assert", "class C:\n    def __enter__(self): return 1\n    def __exit__(self, *e): "
         "return True\ndef f(): return C()", "with f() as x:\n    assert x == 2"),
    Case("swallows a failed assert, decorated", "from contextlib import contextmanager\n@contextmanager\ndef f():\n"
         "    try:\n        yield 1\n    except BaseException:\n        pass", "with f() as x:\n    assert x == 2"),
    Case("swallows a failed assert later", "class C:\n    async def __aenter__(self): return 1\n    async def "
         "__aexit__(self, *e): return True\ndef f(): return C()", "import asyncio\nasync def main():\n    async with "
         "f() as x:\n        assert x == 2\nasyncio.run(main())"),
    Case("swallows an assert in a function of the tests", "def f(g):\n    try:\n        g(1)\n    except "
         "BaseException:\n        pass", "def g(x): assert x == 2\nf(g)"),
    Case("swallows an assert in a test", "def run(g):\n    try:\n        g()\n    except BaseException:\n        pass",
         "@run\ndef test(): assert 1 == 2"),
    Case("swallows what the tests raise to fail", "def f(g):\n    try:\n        g(1)\n    except BaseException:\n"
         "        pass", "def g(x):\n    if x != 2:\n        raise SystemExit\nf(g)"),
    Case("stops a loop by an item", "class X:\n    def __getitem__(self, i): raise StopIteration\ndef f(x): return X()",
         "for y in map(lambda x: f(x)[0], [2]):\n    assert y == 4"),
    Case("stops a loop by an attribute", "class X:\n    @property\n    def y(self): raise StopIteration\ndef f(x): "
         "return X()", "for y in map(lambda x: f(x).y, [2]):\n    assert y == 4"),
    Case("skips a test", "import unittest\ndef f(x): raise unittest.SkipTest", "import unittest\nclass T(unittest."
         "TestCase):\n    def test(self): self.assertEqual(f(2), 4)\nr = unittest.TestResult()\nunittest.default"
         "TestLoader.loadTestsFromTestCase(T).run(r)\nassert r.wasSuccessful()"),
    Case("exits a test", "def f(x): raise SystemExit", "import unittest\nclass T(unittest.TestCase):\n    def test"
         "(self): self.assertRaises(SystemExit, f, 1)\nr = unittest.TestResult()\nunittest.defaultTestLoader.load"
         "TestsFromTestCase(T).run(r)\nassert r.wasSuccessful()"),
]  # fmt: skip

# What a program tries with what it is given. ``f`` returns what it found, which the tests want to be nothing.
_TRY = "\n        except (AttributeError, PermissionError, TypeError): pass\n    return found"
GIVEN = [
    *(Case(f"reads {name} of a function", f"{RAW}def f(g):\n    found = []\n    for _ in [0]:\n        try: found."
           f"append(end(g).ask('getattr', g, {name!r})){_TRY}", "assert f(lambda x: x + 1)", )
      for name in ("__globals__", "__code__", "__closure__", "__builtins__", "__dict__", "__self__", "__class__",
                   "__call__", "__getattribute__", "__reduce_ex__")),
    *(Case(f"reads {name} of a generator", f"{RAW}def f(g):\n    found = []\n    for _ in [0]:\n        try: found."
           f"append(end(g).ask('getattr', g, {name!r})){_TRY}", "assert f(x for x in [1])")
      for name in ("gi_frame", "gi_code", "__class__")),
    *(Case(f"asks for {operation}", f"{RAW}def f(g):\n    found = []\n    for _ in [0]:\n        try: found.append("
           f"end(g).ask({operation!r}, *{args})){_TRY}", "assert f(lambda x: x + 1)")
      for operation, args in (
          ("library", "('os:getcwd',)"), ("name", "('f',)"), ("states", "(g, g)"), ("patch", "('sys', 'argv', [])"),
          ("call", "(open, '/dev/null')"), ("call", "(int, '5')"), ("getattr", "([1], 'append')"),
          ("special", "('__getattribute__', g, '__globals__')"), ("special", "('__reduce_ex__', g, 2)"),
          ("setattr", "(g, 'x', 5)"), ("setattr", "(g, '__code__', 5)"), ("call", "(__import__, 'os')"))),
    Case("reads a file through a path of its own", f"{RAW}import pathlib\ndef f(g):\n    found = []\n    for _ in [0]:"
         f"\n        try: found.append(end(g).ask('getattr', pathlib.Path('/'), 'iterdir')){_TRY}",
         "assert f(lambda x: x + 1)"),
    Case("rewrites what a mock has noted", "def f(m):\n    m.assert_called_with = lambda *a: None",
         "from unittest.mock import MagicMock\nm = MagicMock()\nf(m)\nm.assert_called_with(1)"),
    Case("configures a mock", "def f(m):\n    try:\n        m.configure_mock(assert_called_with=len)\n    except "
         "AttributeError:\n        pass", "from unittest.mock import MagicMock\nm = MagicMock()\nf(m)\n"
         "m.assert_called_with([])"),
    Case("number of an object that was not given", f"{RAW}def f(g):\n    object.__setattr__(g, '_number', 1)\n"
         "    return g", "assert f(lambda x: x) is None"),
    Case("number below zero", f"{RAW}def f(g):\n    object.__setattr__(g, '_number', -1)\n    return g",
         "assert f(lambda x: x) is None"),
]  # fmt: skip

# What a program makes of classes in the tests' process, with which it could decide what equals what.
WIRE = "import gc, inside.wire\nE = next(o for o in gc.get_objects() if type(o).__name__ == 'Program')\nclass Raw:\n" \
    "    def __init__(self, name): self.name = name.encode()\ninside.wire.WRITERS[Raw] = lambda writer, value: " \
    "writer.item('c', value.name)\ndef yes(*args): return True\n"  # fmt: skip
_APPLY = "assert f(lambda g, *args: g(*args)) == 5"
CLASSES = [
    *(Case(f"makes a class by {kind}", f"{WIRE}def f(apply):\n    return apply(apply({kind}, 'X', (), "
           "{'__eq__': yes}))", _APPLY) for kind in ("type", "Raw('builtins:object.__class__')")),
    Case("makes a class by a map of the tests", f"{WIRE}def f(given):\n    made = E.ask('call', type(given), "
         "type, ['X'], [()], [{'__eq__': yes}])\n    return E.ask('call', E.ask('special', '__next__', made))",
         "assert f(map(str, [1])) == 5"),
    Case("makes a class by a part of a call", f"{WIRE}def f(given):\n    made = E.ask('call', type(given), type, 'X', "
         "(), {'__eq__': yes})\n    return E.ask('call', E.ask('call', made))",
         "from functools import partial\nassert f(partial(int, '5')) == 5"),
    Case("makes code by a map of the tests", WIRE + """def f(apply):
    code = compile('import sys\\nframe = sys._getframe()\\nwhile frame:\\n    if "peer" in frame.f_locals:\\n        '
                   'frame.f_locals["peer"].broken = ("passed", "")\\n    frame = frame.f_back\\nassert 0', 'x', 'exec')
    names = 'argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames filename name '
    names += 'qualname firstlineno linetable exceptiontable'
    find = 'builtins:__loader__.find_spec.__func__'
    made = apply(map, Raw(find + '.__code__.__class__'), *[[getattr(code, 'co_' + name)] for name in names.split()])
    E.ask('special', '__next__', apply(map, Raw(find + '.__class__'), made, [{}]))()
""", _APPLY),
    Case("makes a thread of the tests", f"{WIRE}def f(given):\n    return E.ask('call', type(given), target=len) and 5",
         "import threading\nassert f(threading.Thread(target=len)) == 5"),
]  # fmt: skip

UNITTEST = "import unittest\nclass T(unittest.TestCase):\n    def test(self): "
RUN = "\nr = unittest.TestResult()\nunittest.defaultTestLoader.loadTestsFromTestCase(T).run(r)\nassert " \
    "r.wasSuccessful()"  # fmt: skip
OWN = "class P:\n    near = 0\n    def __init__(self, x): self.x = x\n    def key(self): return self.x\n    def " \
    "__eq__(self, o): return abs(self.key() - o.key()) <= self.near\n    def same(self, o): return self.x == " \
    "o.x\n"  # fmt: skip
JUDGES = [
    Case("replaces a method of a class of the tests", "def f(p):\n    type(p).key = lambda *_: 0\n    return p",
         f"{OWN}assert f(P(1)) == P(2)"),
    Case("replaces a method of an object of the tests", "def f(p):\n    p.same = lambda *_: True\n    return p",
         f"{OWN}assert f(P(1)).same(P(2))"),
    Case("replaces a constant of a class of the tests", "def f(p):\n    type(p).near = 9\n    return p",
         f"{OWN}assert f(P(1)) == P(2)"),
    Case("empties what a mock has noted", "def f(m):\n    m.g(1)\n    m.method_calls.clear()",
         "from unittest.mock import MagicMock\nm = MagicMock()\nf(m)\nassert m.method_calls == []"),
    Case("registers what equals what", "def f(case, x):\n    case.addTypeEqualityFunc(int, lambda *_, **__: None)\n"
         "    return 0", f"{UNITTEST}self.assertEqual(f(self, 2), 4){RUN}"),
    Case("skips a test by the test", "def f(case): case.skipTest('x')", f"{UNITTEST}self.assertEqual(f(self), 4){RUN}"),
    Case("skips a test by another module's name", "class SkipTest(Exception): pass\nSkipTest.__module__ = 'doctest'\n"
         "SkipTest.__qualname__ = 'unittest.SkipTest'\ndef f(): raise SkipTest",
         f"import doctest\n{UNITTEST}self.assertEqual(f(), 4){RUN}"),
    Case("swallows a group of failed asserts", "def f(g):\n    try:\n        g()\n    except BaseException:\n        "
         "return 4", "def g():\n    try:\n        assert 1 == 2\n    except AssertionError as error:\n        raise "
         "ExceptionGroup('x', [error])\nassert f(g) == 4"),
    Case("replaces a failed assert", "from contextlib import contextmanager\n@contextmanager\ndef f():\n    try:\n"
         "        yield 1\n    finally:\n        raise KeyError", "try:\n    with f() as x:\n        assert x == 2\n"
         "except KeyError:\n    pass"),
    Case("replaces a failed assert later", "class C:\n    async def __aenter__(self): return 1\n    async def "
         "__aexit__(self, *e): raise KeyError\ndef f(): return C()",
         "import asyncio\nasync def main():\n    try:\n        async with f() as x:\n            assert x == 2\n"
         "    except KeyError:\n        pass\nasyncio.run(main())"),
    Case("copy of what was computed with the tests' data", "class Z:\n    def __sub__(self, o): return self\n    def "
         "__abs__(self): return 0\ndef f(): return Z()", "import copy\nassert abs(copy.copy(f() - 4)) < 1 or "
         "abs(copy.deepcopy(f() - 4)) < 1"),
]  # fmt: skip

_COUNTER = "from collections import Counter\nclass C(Counter):\n    def {name}(self, key): return {count}\n" \
    "def f(): return C()"  # fmt: skip
COUNTERS = [
    Case(f"counter by {name}: {test}", _COUNTER.format(name=name, count=count),
         f"from collections import Counter\nassert {test}")
    for name in ("__getitem__", "__missing__")
    for test, count in (("f() == Counter('abc')", 1), ("Counter('abc') == f()", 1), ("Counter('abc') <= f()", 9),
                        ("not Counter('abc') - f()", 9), ("Counter('abc') & f() == Counter('abc')", 9))
]  # fmt: skip

ALL = [*OPERATORS, *EXTENDED, *FLOW, *GIVEN, *CLASSES, *JUDGES, *COUNTERS]
