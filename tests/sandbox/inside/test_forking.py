"""What a process does before it forks."""

import subprocess
import sys

from semalign.sandbox.inside.forking import COMMON

CODE = """
import gc, sys
before = set(sys.modules)
from semalign.sandbox.inside.forking import prepare
prepare(["colorsys"])
print(gc.get_freeze_count() > 1000, len(gc.get_objects()) < 100, *sorted(set(sys.modules) - before))
"""


def test_modules_are_there_and_their_objects_frozen():
    command = [sys.executable, "-S", "-c", CODE]
    path = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    frozen, few, *modules = subprocess.run(command, capture_output=True, text=True, env=path).stdout.split()
    assert (frozen, few) == ("True", "True")
    assert {*COMMON, "colorsys"} - set(modules) <= {"collections", "collections.abc", "functools", "itertools"}
