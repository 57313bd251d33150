"""What a process that forks for each case does before: all that its children would else do again, each for itself."""

from __future__ import annotations

import ast
import gc
import importlib
import os
import sys
from collections.abc import Iterable

from .seccomp import MACHINES, filter_program

MESSAGE = 64  # bytes of the message that announces a case: numbers as text; sockets come with it
# What programs and tests import most; each takes an interpreter some milliseconds.
COMMON = (
    *("bisect", "collections", "collections.abc", "copy", "datetime", "functools", "heapq", "itertools", "math"),
    *("operator", "random", "re", "string", "typing"),
)
KERNEL = ("_ctypes",) if sys.platform == "linux" else ()  # with which a child gives up its rights


def prepare(further: Iterable[str] = ()) -> None:
    """Import common modules and some further ones, and keep the collector from writing to what children share."""
    for name in (*COMMON, *KERNEL, *further):
        importlib.import_module(name)
    ast.parse("assert f(1) == 1")  # makes the classes of nodes
    if (machine := os.uname().machine) in MACHINES:
        for writes in (False, True):
            filter_program(machine, 1, writes)  # is kept
    gc.collect()
    gc.freeze()
