"""Run one or many programs with their tests."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tqdm.auto import tqdm

from semalign.sandbox.examiner import CPU_SECONDS, MEMORY, TIMEOUT, Examiner, Limits
from semalign.sandbox.isolation import sandbox_mode
from semalign.sandbox.outcome import Outcome


def run_tests(
    program: str,
    tests: str,
    timeout: float | int = TIMEOUT,
    memory: int = MEMORY,
    cpu_seconds: int = CPU_SECONDS,
    mode: str | None = None,
) -> Outcome:
    """Run ``program``, and then ``tests`` against it from another process.

    Names that the tests do not define are looked up in the program. Plain data, values of the standard library and
    exceptions are rebuilt in the tests' process, lists and dicts stay the same objects for both, and functions and
    objects of either side can be used by the other. Tests compare data in their own process. Therefore an object of
    the program equals only an object of the same class with the same attributes, ``<`` and ``in`` do not ask it about
    plain data, arithmetic with plain data must give an object, and it cannot suppress an error in a with-statement.

    Args:
        program: Python source; it has the standard library only and may not start processes.
        tests: Python source that raises unless the program is correct.
        timeout: wall-clock seconds after which both processes are killed.
        memory: bytes of address space.
        cpu_seconds: processor time. Unlike wall-clock time, it ends an endless loop after the same amount of work on
            a busy and on an idle machine.
        mode: see :func:`sandbox_mode`.

    Raises:
        SandboxError: if the sandbox is not available or does not start.
    """
    with Examiner(sandbox_mode(mode), Limits(timeout, memory, cpu_seconds)) as examiner:
        return examiner.examine(program, tests)


def run_many(
    cases: Iterable[tuple[str, str]],
    timeout: float | int = TIMEOUT,
    memory: int = MEMORY,
    cpu_seconds: int = CPU_SECONDS,
    mode: str | None = None,
    workers: int | None = None,
) -> list[Outcome]:
    """Run many ``(program, tests)`` cases as :func:`run_tests` does, ``workers`` at a time; return outcomes in order.

    By default there is one worker more than this process has cores, since program and tests wait for each other.
    """
    cases = list(cases)
    workers = max(min(workers or cores() + 1, len(cases)), 1)
    with (
        Examiner(sandbox_mode(mode), Limits(timeout, memory, cpu_seconds), workers) as examiner,
        ThreadPoolExecutor(workers) as pool,
    ):
        outcomes = pool.map(lambda case: examiner.examine(*case), cases)
        return list(tqdm(outcomes, total=len(cases), desc="running programs", leave=False))


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
