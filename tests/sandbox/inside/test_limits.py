"""The limits of a process, as the process itself then sees them."""

import subprocess
import sys

CODE = """
import os, resource
from semalign.sandbox.inside.limits import limit, limit_threads
limit(7, 2**30)
print(*(resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in ("CPU", "AS", "FSIZE", "NOFILE", "CORE")))
limit_threads()
print(resource.getrlimit(resource.RLIMIT_NPROC))
"""


def test_limits_are_those_asked_for():
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [
        f"(7, 8) ({2**30}, {2**30}) ({4 * 2**20}, {4 * 2**20}) (32, 32) (0, 0)",
        "(64, 64)",
    ]
