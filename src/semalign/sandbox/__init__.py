"""Run generated programs with their tests in a sandbox, and let only the tests decide the verdict.

Program and tests run in two processes, each in its own sandbox. The tests call the program's functions through a
socket that carries data and numbers of objects. The program's process holds neither the tests nor the verdict::

    outcome = run_tests("def double(x): return 2 * x", "assert double(2) == 4")
    outcome.passed, outcome.reason
"""

from semalign.sandbox.errors import SandboxError
from semalign.sandbox.isolation import sandbox_mode
from semalign.sandbox.outcome import Outcome
from semalign.sandbox.runs import run_many, run_tests

__all__ = ["Outcome", "SandboxError", "run_many", "run_tests", "sandbox_mode"]
