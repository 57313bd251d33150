"""Exceptions: of which class they are at the other end, and what they say."""

import errno
import json

import pytest
from helpers.ends import connected, through

RAISED = [
    ValueError("x", 3),
    KeyError("a"),
    StopIteration(5),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    FileNotFoundError(errno.ENOENT, "no such file", "/a"),
    ExceptionGroup("two", [ValueError(1), KeyError(2)]),
    ZeroDivisionError(),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_builtin_errors_come_back_as_they_are(error):
    back = through(error)
    assert type(back) is type(error) and str(back) == str(error) and repr(back) == repr(error)
    for name in ("errno", "filename", "value", "start", "object"):
        assert getattr(back, name, None) == getattr(error, name, None)


def test_attributes_notes_and_causes_come_too():
    error = ValueError("x")
    error.extra = [1]
    error.add_note("so")
    error.__cause__ = KeyError("k")
    back = through(error)
    assert back.extra == [1] and back.__notes__ == ["so"] and back.__cause__.args == ("k",)
    assert through(ImportError("x", name="mod")).name == "mod"


def test_an_error_of_the_library_keeps_its_class_and_attributes():
    try:
        json.loads("{")
    except json.JSONDecodeError as error:
        back = through(error)
        assert type(back) is json.JSONDecodeError and back.pos == error.pos and str(back) == str(error)


def test_arguments_that_the_constructor_does_not_take():
    error = UnicodeDecodeError("utf-8", b"", 0, 1, "x")
    error.args = ("changed",)
    assert through(error).args == ("changed",) and through(OSError()).args == ()


PROGRAM = """
class Base(LookupError): pass
class Own(Base):
    def __init__(self, code):
        super().__init__('text', code)
        self.code = code
    def __str__(self): return f'own {self.code}'
def f(): raise Own(7)
def g(call):
    try: call()
    except Own as e: return e.code
"""


def test_an_own_error_is_caught_by_its_bases_and_its_name():
    with connected(PROGRAM) as peer:
        f, own, base, g = (peer.ask("name", name) for name in ("f", "Own", "Base", "g"))
        for kind in (own, base, LookupError, Exception):
            with pytest.raises(kind) as caught:
                f()
            assert caught.value.args == ("text", 7) and caught.value.code == 7 and str(caught.value) == "own 7"
        with pytest.raises(LookupError):
            raise own(3)

        def fail():
            raise own(4)

        assert g(fail) == 4
