"""Messages of errors in one line: those of other libraries are often longer, or say nothing without their class."""

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

LONGEST = 600  # characters of a message
EXPLAIN_THEMSELVES = (ValueError, OSError, ImportError, FloatingPointError)


def folded(text: object, longest: int = LONGEST) -> str:
    """Return a text in one line, without characters that no terminal prints, and cut in the middle if it is long."""
    # The middle of a text that is far longer is not looked at.
    found = str(text)
    found = found if len(found) < 20 * longest else found[: 10 * longest] + found[-10 * longest :]
    line = " ".join(found.split()).encode(errors="backslashreplace").decode()
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    end = longest // 4
    return line if len(line) <= longest else f"{line[: longest - end - 5]} ... {line[-end:]}"


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, with the name of its class where it would be unclear without."""
    from pydantic_core import ValidationError  # the command prints its help without it

    if isinstance(error, ValidationError):
        return problems(error)
    text = folded(error)
    if isinstance(error, EXPLAIN_THEMSELVES) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(name: object, known: Iterable[str]) -> str:
    """Return ``, did you mean 'x'?`` for the known name that is nearest, or nothing if none is near."""
    near = difflib.get_close_matches(str(name)[:60], [str(each) for each in known], 1)
    return f", did you mean {near[0]!r}?" if near else ""


def problems(error: "ValidationError", known: Iterable[str] = (), key: str = "key") -> str:
    """Return what pydantic found wrong, in one line: each value's place and the reason.

    Args:
        error: the error.
        known: names that an unknown key may have been meant for.
        key: word for a key.
    """
    names = list(known)
    return folded("; ".join(_problem(problem, names, key) for problem in error.errors(include_url=False)))


def _problem(problem: Any, known: list[str], key: str) -> str:
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"unknown {key} {place!r}{nearest(problem['loc'][-1], known)}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        message = "it is missing"
    elif problem["loc"] and problem["type"] != "value_error":
        message = f"{message}; it is {folded(repr(problem['input']), 60)}{_allowed(problem)}"
    return f"{place}: {message}" if place else message


def _allowed(problem: Any) -> str:
    """Return the suggestion for a value that is none of a few allowed ones."""
    expected = problem.get("ctx", {}).get("expected", "") if problem["type"] == "literal_error" else ""
    return nearest(problem["input"], re.findall("'([^']*)'", expected))
