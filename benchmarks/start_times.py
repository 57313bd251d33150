"""How long the library takes to start: imports and the help, each in a process of its own, beside an empty program.

python benchmarks/start_times.py
"""

import shlex
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from measurement import write_measurement

from semalign.paths import results_dir

ROUNDS = 10
PATH = results_dir() / "speed" / "start-times.json"
COMMANDS = {  # with the seconds to reach
    "python -c pass": None,
    "python -c 'import semalign'": 0.05,
    "semalign --help": 0.25,
    "python -c 'import semalign.settings'": 0.3,
}


def seconds(command: str) -> float:
    """Return the median time of some starts of a command of this environment; the one before them is not timed."""
    program, *arguments = shlex.split(command)
    times = []
    for _ in range(1 + ROUNDS):
        start = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name(program), *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return round(median(times[1:]), 3)


def main() -> None:
    rows: list[dict[str, Any]] = [
        {"command": command, "seconds": seconds(command), "reach": reach} for command, reach in COMMANDS.items()
    ]
    found = {"rows": rows, "rounds": ROUNDS}
    print(found)
    write_measurement(PATH, found)


if __name__ == "__main__":
    main()
