"""Run one program or many with their tests."""

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

    Names that the tests do not define are the program's. What its functions return, and what they do to their
    arguments, reaches the tests as plain data; other objects can be called, iterated, indexed and asked for
    attributes, and equal only themselves.

    Args:
        program: Python source; of packages it has the standard library only, and it may not start processes.
        tests: Python source that raises unless the program is right.
        timeout: wall-clock seconds, after which all is killed.
        memory: bytes of address space.
        cpu_seconds: processor time. It ends an endless loop after about the same work on a busy machine as on an
            idle one, where the wall clock would fail programs for what else runs.
        mode: see :func:`sandbox_mode`.

    Raises:
        SandboxError: if there is no sandbox here, or it does not start.
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
    """Run many ``(program, tests)`` cases as :func:`run_tests` does, ``workers`` at a time, in order.

    The default is one more than this process has cores: what starts a sandbox waits a third of its time.
    """
    cases = list(cases)
    with (
        Examiner(sandbox_mode(mode), Limits(timeout, memory, cpu_seconds)) as examiner,
        ThreadPoolExecutor(workers or _cores() + 1) as pool,
    ):
        outcomes = pool.map(lambda case: examiner.examine(*case), cases)
        return list(tqdm(outcomes, total=len(cases), desc="running programs", leave=False))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
