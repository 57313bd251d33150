"""Check that an evaluation that is killed at a random moment ends with the same record as an undisturbed one.

For each task, the script runs `semalign evaluate` on its first items twice. The first run is undisturbed. The second
run is killed by SIGKILL while it generates answers, together with all processes that it started, and started again.
Then records and samples are compared. Only fields that describe the run instead of its result may differ: creation
time, commit, seconds, memory and command.

    SEMALIGN_DATA=/path/to/data python benchmarks/killed_evaluation.py smollm2-135m --limit 8
"""

import argparse
import gzip
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from killed_comparison import SEMALIGN, content

MINIMUM = {"mmlu": 1}  # items of each of the 57 subjects


def started(options: argparse.Namespace, task: str, out: Path) -> subprocess.Popen:
    """Start an evaluation in a new process group."""
    settings = {"--task": task, "--limit": MINIMUM.get(task, options.limit), "--batch-size": options.batch_size}
    more = [str(part) for pair in settings.items() for part in pair]
    command = [SEMALIGN, "evaluate", options.model, "--engine", options.engine, *more, "--out", str(out)]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finished(run: subprocess.Popen) -> None:
    """Wait for a run that must succeed."""
    if run.wait():
        sys.exit(f"failed: {' '.join(run.args)}")  # type: ignore[arg-type]


def answers(path: Path) -> int:
    """Return the number of answers in a journal, whose end may be cut off."""
    lines = -1
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for _ in file:
                lines += 1
    except (EOFError, FileNotFoundError):
        pass
    return max(lines, 0)


def killed(options: argparse.Namespace, task: str, out: Path, seconds: float) -> int:
    """Kill a run at a random moment after its first answers; return the number of answers in its journal."""
    run, journal = started(options, task, out), out / f"{task}.answers.jsonl.gz"
    while run.poll() is None and not answers(journal):
        time.sleep(0.2)
    time.sleep(random.uniform(0, 0.3) * seconds)
    if run.poll() is not None:
        sys.exit("the evaluation ended before it could be killed: use more items or smaller batches")
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return answers(journal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="smollm2-135m")
    parser.add_argument("--tasks", default="mmlu,gsm8k,humaneval,mbpp")
    parser.add_argument("--limit", type=int, default=8, help="number of items; for MMLU one of each subject")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--engine", default="transformers")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as name:
        for task in options.tasks.split(","):
            left, cut = Path(name) / f"{task}-left", Path(name) / f"{task}-killed"
            begin = time.monotonic()
            finished(started(options, task, left))
            seconds = time.monotonic() - begin
            kept = killed(options, task, cut, seconds)
            finished(started(options, task, cut))
            ours, theirs = content(left), content(cut)
            same = ours == theirs and sorted(p.name for p in left.iterdir()) == sorted(p.name for p in cut.iterdir())
            failed |= not same
            print(
                f"{task}: {seconds:.0f} s undisturbed; killed with {kept} answers on disk and started again: "
                f"{'the same record and samples' if same else 'NOT the same'}",
                flush=True,
            )
    sys.exit(failed)


if __name__ == "__main__":
    main()
