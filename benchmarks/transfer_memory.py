"""Peak memory of a transfer: teacher and student one after the other, against both in memory.

The teacher is SmolLM2-135M-Instruct (`semalign fetch smollm2-135m`), the student what `drop_layers` leaves of it, and
the rows are the first of GSM8K's. Each way runs in a process of its own, with an empty cache and with the cache of the
run before it. `together` passes two loaded models, which stay in memory:

    python benchmarks/transfer_memory.py [--rows 32] [--model smollm2-135m]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from os import environ
from pathlib import Path
from time import perf_counter


def transfer(way: str, teacher: str, student: str, n_rows: int) -> None:
    """Run one transfer and print its time and this process's peak memory."""
    from semalign import load_model, transfer
    from semalign.data import tasks

    rows = tasks.rows("gsm8k", "train", n_rows)
    pair = (load_model(teacher), load_model(student)) if way == "together" else (teacher, student)
    start = perf_counter()
    result = transfer(*pair, rows, epochs=1, batch_size=8, micro_batch_size=1, attribution_examples=2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{way}\t{peak:.0f} MiB\t{perf_counter() - start:.0f} s\tlast loss {result.record['value']:.6f}")


def main() -> None:
    """Print a line for each way and state of the cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m", help="the teacher")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--way", choices=["together", "in turn"], help=argparse.SUPPRESS)
    parser.add_argument("--student", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        transfer(arguments.way, arguments.model, arguments.student, arguments.rows)
        return
    from semalign.models.located import locate

    teacher = locate(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        student = str(Path(folder) / "student")
        cut = (sys.executable, "-m", "semalign", "drop-layers", teacher, "--every", "3", "--out", student)
        subprocess.run(cut, check=True)
        for way in ("together", "in turn"):
            for cache in ("empty cache", "full cache"):
                print(cache, end="\t", flush=True)
                own = {**environ, "SEMALIGN_CACHE": str(Path(folder) / way)}
                command = [sys.executable, __file__, "--model", teacher, "--rows", str(arguments.rows)]
                subprocess.run([*command, "--way", way, "--student", student], check=True, env=own)


if __name__ == "__main__":
    main()
