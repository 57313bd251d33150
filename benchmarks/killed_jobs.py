"""Check that a grid whose jobs are killed in Slurm ends with the same records as `semalign compare`.

The script makes a grid of the micro models through the workflow, on a Slurm of this machine alone that it may disturb.
It cancels a job, kills another without a signal that it could answer, kills slurmd and starts it again, and kills
Snakemake and gives the same command again. Then it makes the same grid by `semalign compare` with an empty cache, and
compares all records and samples. Only fields that describe the run instead of its result may differ: creation time,
commit, seconds, memory and command.

    python benchmarks/killed_jobs.py            # as root, with workflow/constraints.txt
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from killed_comparison import content, differing_keys, started

from semalign.experiments.profiles import load_profile

CHECKOUT = Path(__file__).resolve().parents[1]
SLURM = (
    *("--profile", str(CHECKOUT / "workflow" / "slurm"), "--slurm-no-account", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "5"),
    *("--default-resources", "slurm_partition=main", "slurm_extra='--signal=TERM@60'"),
)


def write_profile(path: Path, options: argparse.Namespace) -> None:
    """Write the part of the profile micro that the grid needs."""
    micro = load_profile("micro").model_dump(exclude_none=True)
    tasks, methods = options.tasks.split(","), options.methods.split(",")
    part = {
        "teacher": micro["teacher"],
        "student": micro["student"],
        "tasks": {name: micro["tasks"][name] for name in tasks},
        "variants": {
            entry: {task: micro["variants"][entry][task] for task in tasks}
            for entry in methods
            if entry in micro["variants"]
        },
        "seeds": list(range(options.seeds)),
    }
    path.write_text(yaml.safe_dump(part))


def snakemake(root: Path, profile: Path, methods: str, jobs: int) -> subprocess.Popen:
    """Start the workflow in a new process group."""
    given = ["--config", f"profile={profile}", f"methods={methods}", "gpus=0", "--", "records"]
    command = [sys.executable, "-m", "snakemake", "-s", str(CHECKOUT / "workflow" / "Snakefile"), *SLURM, f"-j{jobs}"]
    environment = {**os.environ, "SEMALIGN_ROOT": str(root), "SEMALIGN_CACHE": str(root / "cache")}
    with (root / "snakemake.log").open("a") as log:
        return subprocess.Popen([*command, *given], env=environment, stderr=log, stdout=log, start_new_session=True)


def running() -> set[str]:
    """Return the numbers of the jobs that run."""
    asked = ["squeue", "-h", "-t", "R", "-o", "%i"]
    return set(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split())


def cancelled(job: str) -> None:
    subprocess.run(["scancel", job], check=True)


def killed(job: str) -> None:
    subprocess.run(["scancel", "--signal=KILL", "--full", job], check=True)


def slurmd_killed(_: str) -> None:
    """Kill the daemon of the node, whose jobs go on without it, and start it again."""
    shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=True).stdout
    pid_file = next(line.split()[-1] for line in shown.splitlines() if line.startswith("SlurmdPidFile"))
    os.kill(int(Path(pid_file).read_text()), signal.SIGKILL)
    time.sleep(5)
    subprocess.run(["slurmd"], check=True)


def disturbed(what: str, event: Callable[[str], None], seen: set[str], run: subprocess.Popen) -> None:
    """Wait for a job that is new, then some seconds, and disturb it."""
    while not (new := running() - seen):
        if run.poll() is not None:
            sys.exit("the workflow ended before all was disturbed: take more seeds")
        time.sleep(0.5)
    job = min(new)
    seen |= new
    time.sleep(moment := random.uniform(5, 25))
    still = job in running()
    event(job)
    print(f"job {job}: {what} after {moment:.0f} s{'' if still else ', when it had just ended'}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="semalign,sft")
    parser.add_argument("--tasks", default="micro_mmlu,micro_gsm8k")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="jobs at a time")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "data").mkdir()
        for part in ("notebooks", "data/models", "data/benchmarks"):
            (root / part).symlink_to(CHECKOUT / part)
        write_profile(profile := root / "grid.yaml", options)
        begin, seen = time.monotonic(), running()
        run = snakemake(root, profile, options.methods, options.jobs)
        disturbed("cancelled", cancelled, seen, run)
        disturbed("killed without a signal", killed, seen, run)
        disturbed("slurmd killed and started again", slurmd_killed, seen, run)
        disturbed("Snakemake killed", lambda job: os.killpg(run.pid, signal.SIGKILL), seen, run)
        run.wait()
        if snakemake(root, profile, options.methods, options.jobs).wait():
            sys.exit((root / "snakemake.log").read_text())
        log = (root / "snakemake.log").read_text()
        jobs, stopped = log.count("has been submitted with SLURM jobid"), log.count("Error in rule")
        print(f"through Slurm: {jobs} jobs, {stopped} of them failed, {time.monotonic() - begin:.0f} s", flush=True)
        begin = time.monotonic()
        if started(profile, root / "compared", root / "compared-cache", options.methods).wait():
            sys.exit("the undisturbed comparison failed")
        print(f"semalign compare: {time.monotonic() - begin:.0f} s", flush=True)
        ours, theirs = content(root / "data" / "results" / "grid"), content(root / "compared")
        left = list((root / "cache" / "runs").rglob("*.safetensors"))
    differing = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    records = sum(name.endswith(".json") for name in theirs)
    print(f"{records} records and {len(theirs) - records} files of samples compared, {len(differing)} differ")
    for name in differing:
        print(f"  {name}: {', '.join(differing_keys(ours.get(name), theirs.get(name)))}")
    print(f"checkpoints left behind: {len(left)}")
    sys.exit(bool(differing or left))


if __name__ == "__main__":
    main()
