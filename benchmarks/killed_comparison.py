"""Check that a comparison that is killed at random moments ends with the same records as an undisturbed one.

The script runs `semalign compare` on a small profile twice, each time with an empty cache. The first run is
undisturbed. The second run is killed by SIGKILL at random moments, together with all processes that it started, and
started again each time. Then all records and samples are compared. Only fields that describe the run instead of its
result may differ: creation time, commit, seconds, memory and command.

    python benchmarks/killed_comparison.py --kills 3
"""

import argparse
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

SEMALIGN = str(Path(sys.executable).with_name("semalign"))
OF_THE_RUN = {"created", "commit", "seconds", "peak_memory_bytes", "command", "checksum"}
PROFILE = {
    "teacher": "micro-teacher",
    "student": "micro-student",
    "tasks": {name: {"train_size": 48, "epochs": 2, "align_size": 16, "align_steps": 1} for name in (
        "micro_mmlu", "micro_gsm8k", "micro_humaneval", "micro_mbpp"
    )},
    "evaluation": {"limit": 100},
    "seeds": [0],
}  # fmt: skip


def started(profile: Path, out: Path, cache: Path, methods: str) -> subprocess.Popen:
    """Start the comparison in a new process group."""
    command = [SEMALIGN, "compare", "--profile", str(profile), "--methods", methods, "--out", str(out)]
    environment = {**os.environ, "SEMALIGN_CACHE": str(cache)}
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def content(folder: Path) -> dict[str, object]:
    """Return the records and samples of a folder without the fields that describe the run."""
    records = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    for record in records.values():
        record["details"].pop("evaluation_seconds")
    kept = {name: {key: record[key] for key in record.keys() - OF_THE_RUN} for name, record in records.items()}
    return kept | {path.name: gzip.decompress(path.read_bytes()) for path in folder.glob("*.samples.jsonl.gz")}


def created(folder: Path) -> dict[str, str]:
    """Return the creation time of each record of a folder."""
    return {path.name: json.loads(path.read_text())["created"] for path in folder.glob("*.json")}


def differing_keys(ours: object, theirs: object) -> list[str]:
    """Return the keys in which two records differ; keys of their details begin with ``details.``."""
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return ["one of them is missing" if None in (ours, theirs) else "samples"]
    keys = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
    if "details" in keys:
        keys.remove("details")
        keys += [f"details.{key}" for key in differing_keys(ours["details"], theirs["details"])]
    return keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--methods", default="semalign,cross-entropy,seeking,laten")
    parser.add_argument("--seed", type=int, default=None, help="seed of the random moments; default: none")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = folder / "killed.yaml"
        profile.write_text(yaml.safe_dump(PROFILE))
        begin = time.monotonic()
        if started(profile, folder / "left", folder / "left-cache", options.methods).wait():
            sys.exit("the undisturbed comparison failed")
        whole = time.monotonic() - begin
        print(f"undisturbed: {len(list((folder / 'left').glob('*.json')))} records, {whole:.0f} s", flush=True)
        finished: dict[str, str] = {}
        for _ in range(options.kills):
            run = started(profile, folder / "killed", folder / "killed-cache", options.methods)
            moment = moments.uniform(0.1, 0.9) * whole / options.kills
            time.sleep(moment)
            if run.poll() is not None:
                sys.exit("the comparison ended before it could be killed: run the script again")
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            finished |= created(folder / "killed")
            print(f"killed after {moment:.1f} s: {len(finished)} finished records", flush=True)
        if started(profile, folder / "killed", folder / "killed-cache", options.methods).wait():
            sys.exit("the last run of the killed comparison failed")
        again = [name for name, when in created(folder / "killed").items() if finished.get(name, when) != when]
        left, killed = content(folder / "left"), content(folder / "killed")
        leftovers = sorted(path.name for path in (folder / "killed").iterdir() if path.name not in killed)
    differing = sorted(name for name in {*left, *killed} if left.get(name) != killed.get(name))
    print(f"{len(left)} files compared, {len(differing)} differ{': ' if differing else ''}{', '.join(differing)}")
    for name in differing:
        print(f"  {name}: {', '.join(differing_keys(left.get(name), killed.get(name)))}")
    print(f"finished records that were written again: {', '.join(again) or 'none'}")
    print(f"other files left behind: {', '.join(leftovers) or 'none'}")
    sys.exit(bool(differing or leftovers or again))


if __name__ == "__main__":
    main()
