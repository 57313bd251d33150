"""The guard of the mode ``limits``: which events of the interpreter it lets pass."""

import gc
import os

import pytest

from semalign.sandbox.inside.guard import guard

ROOTS = ("/usr/lib", "/etc/ld.so.cache")


@pytest.mark.parametrize(
    "event",
    ["os.fork", "os.system", "os.posix_spawn", "subprocess.Popen", "socket.connect", "ctypes.dlopen", "os.chmod",
     "os.mkdir", "os.chdir", "sqlite3.connect", "gc.get_objects", "sys._current_frames", "sys.addaudithook", "new.one"],
)  # fmt: skip
def test_what_is_not_listed_is_refused(event):
    with pytest.raises(PermissionError, match=f"^{event} is not allowed"):
        guard(ROOTS)(event, ("x",))


@pytest.mark.parametrize("module", ["ctypes", "_ctypes", "_posixsubprocess", "posix"])
def test_modules_that_raise_no_events_are_not_imported(module):
    guard(ROOTS)("import", ("json", None, None, None, None))
    with pytest.raises(PermissionError, match="import is not allowed"):
        guard(ROOTS)("import", (module, None, None, None, None))


def test_the_library_is_read_and_nothing_else():
    hook = guard(ROOTS)
    hook("open", ("/usr/lib/python3/os.py", "r", os.O_RDONLY))
    hook("open", ("/etc/ld.so.cache", "r", None))
    hook("open", ("/dev/null", "w", os.O_WRONLY | os.O_CREAT))
    hook("open", (3, "w", os.O_WRONLY))
    hook("os.listdir", ("/usr/lib",))
    for path in ("/etc/passwd", "/usr/library", "/usr/lib/../../etc/passwd", "/usr/lib/..", "x", b"/usr/lib/x", None):
        with pytest.raises(PermissionError, match="open is not allowed"):
            hook("open", (path, "r", os.O_RDONLY))
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND):
        with pytest.raises(PermissionError, match="open is not allowed"):
            hook("open", ("/usr/lib/x", "w", flags))


class Text(str):
    """A text that claims to be any other."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        return True

    def startswith(self, other):
        return True


def test_texts_of_a_program_are_not_believed():
    with pytest.raises(PermissionError):
        guard(ROOTS)("open", (Text("/etc/passwd"), "r", os.O_RDONLY))
    with pytest.raises(PermissionError):
        guard(ROOTS)("import", (Text("ctypes"), None))


def test_a_frame_of_the_guard_holds_nothing_that_can_be_changed():
    with pytest.raises(PermissionError) as error:
        guard(ROOTS)("os.fork", ())
    trace = error.value.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    frame = trace.tb_frame
    assert frame.f_code.co_name == "hook" and frame.f_code.co_freevars == ()
    for name, value in frame.f_locals.items():
        parts = value if isinstance(value, tuple) else (value,)
        assert all(isinstance(part, (str, int, type, tuple, frozenset, type(None))) for part in parts), name
    # The only global name is that of the exception: without it there would be another exception.
    assert set(frame.f_code.co_names) <= {"PermissionError", "startswith"}
    assert not [x for x in gc.get_referents(frame.f_code) if type(x) in (set, dict, list)]
