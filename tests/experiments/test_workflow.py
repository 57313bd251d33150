"""The workflow for batches: Snakemake lists and makes what `semalign compare` does, on one machine and on Slurm."""

import gzip
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.profiles import write_profile

from semalign.experiments.cells import cells
from semalign.experiments.runs import run
from semalign.paths import code_checkout
from semalign.results.records import companion_path, read_record, write_record

METHODS = ["semalign", "sft"]
WORKFLOW = code_checkout() / "workflow"
SLURM = (
    *("--profile", str(WORKFLOW / "slurm"), "--slurm-no-account", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "3", "-j2"),
    *("--default-resources", "slurm_partition=main", "slurm_extra='--signal=TERM@60'", "--latency-wait", "20"),
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("snakemake"), reason="no Snakemake: pip install '.[cluster]'"),
]


def local_slurm() -> bool:
    """Whether there is a Slurm of this machine alone, which these tests may disturb."""
    if not shutil.which("sbatch") or not importlib.util.find_spec("snakemake_executor_plugin_slurm"):
        return False
    shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True).stdout
    return "ClusterName             = local\n" in shown and os.geteuid() == 0


class Workflow:
    """Snakemake in a project of its own."""

    def __init__(self, root: Path, given: Path) -> None:
        self.root, self.records = root, root / "data" / "results" / "tiny"
        self.given = ["--config", f"profile={given}", f"methods={','.join(METHODS)}", "gpus=0", "--", "records"]

    def command(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "-s", str(WORKFLOW / "Snakefile"), *options, *self.given]

    def run(self, *options: str) -> str:
        done = subprocess.run(self.command(*options), cwd=self.root, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *options: str) -> subprocess.Popen:
        command = self.command(*options)
        return subprocess.Popen(command, cwd=self.root, stderr=subprocess.DEVNULL, start_new_session=True)

    def queue(self) -> list[int]:
        """Return the numbers of its jobs that Slurm has not finished."""
        shown = subprocess.run(["squeue", "-h", "-o", "%i %Z"], capture_output=True, text=True, check=True).stdout
        jobs = (line.split(maxsplit=1) for line in shown.splitlines())
        return [int(job) for job, folder in jobs if folder == str(self.root)]


@pytest.fixture
def tiny(profile, tmp_path):
    return write_profile(tmp_path, teachers={}, seeds=[0], variants={})


@pytest.fixture
def workflow(tiny, tmp_path, monkeypatch):
    (root := tmp_path / "root").joinpath("data").mkdir(parents=True)
    (root / "notebooks").symlink_to(code_checkout() / "notebooks")
    monkeypatch.setenv("SEMALIGN_ROOT", str(root))
    monkeypatch.setenv("SEMALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(code_checkout() / "src"))
    return Workflow(root, tmp_path / "tiny.yaml")


def assert_same(ours: Path, theirs: Path) -> None:
    """Equal but for times, commands and what depends on them."""
    for path in theirs.glob("*.json"):
        one, other = read_record(ours / path.name), read_record(path)
        same = ("method", "value", "n", "interval", "losses", "seed", "configuration", "fingerprints")
        assert {key: one[key] for key in same} == {key: other[key] for key in same}
        samples = [gzip.open(companion_path(folder / path.name, "samples")).read() for folder in (ours, theirs)]
        assert samples[0] == samples[1]


def test_snakemake_makes_what_compare_makes_and_lists_what_compare_lists(workflow, tiny, tmp_path):
    names = {cell.file_name for cell in cells(tiny, METHODS)}
    listed = workflow.run("-n")
    assert all(f"--only {name.removesuffix('.json')}" in listed for name in names)
    assert not workflow.records.exists()
    workflow.run("-c2")
    run(tiny, tmp_path / "compare", METHODS)
    assert {path.name for path in workflow.records.glob("*.json")} == names
    assert_same(workflow.records, tmp_path / "compare")
    assert "Nothing to be done" in workflow.run("-n")

    stale, *_ = sorted(names)
    record = read_record(workflow.records / stale)
    write_record(workflow.records / stale, {**record, "fingerprints": {**record["fingerprints"], "test": "another"}})
    assert workflow.run("-n").count(" --only ") == 1
    workflow.run("-c1")
    assert read_record(workflow.records / stale)["fingerprints"] == record["fingerprints"]
    assert not list((tmp_path / "cache" / "runs").rglob("*.safetensors"))


def test_records_in_the_type_of_the_profile_are_current_where_the_process_names_none(workflow, tmp_path):
    half = {"models": {"dtype": "bfloat16"}, "variants": {}, "teachers": {}, "seeds": [0]}
    write_profile(tmp_path, **half)
    analysis = "data/results/tiny/" + f"decomposition--{tmp_path}/student.json".replace("/", "_")
    workflow.given[-1:] = ["records", analysis]
    workflow.run("-c1")
    names = {path.name.partition("--")[0] for path in workflow.records.glob("*.json")}
    assert names == {"none", *METHODS, "decomposition"}
    assert read_record(workflow.root / analysis)["configuration"]["dtype"] == "torch.bfloat16"
    assert "Nothing to be done" in workflow.run("-n")


def test_a_job_that_fails_stops_no_other(workflow, tiny, tmp_path):
    shutil.rmtree(tmp_path / "teacher")
    shutil.copytree(tmp_path / "coder", tmp_path / "teacher")
    (tmp_path / "teacher" / "model.safetensors").write_bytes(b"damaged")
    failed = subprocess.run(workflow.command("-c1"), cwd=workflow.root, capture_output=True)
    assert failed.returncode == 1
    (possible,) = (cell for cell in cells(tiny, METHODS) if cell.teacher is None and cell.student == tiny.student)
    assert [path.name for path in workflow.records.glob("*.json")] == [possible.file_name]


def wait_for(happened) -> None:
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.5)
    pytest.fail("nothing happened for ten minutes")


@pytest.mark.skipif(not local_slurm(), reason="no Slurm of this machine alone (ClusterName local), run by root")
def test_on_slurm_what_is_killed_is_made_all_the_same(workflow, tiny, tmp_path):
    first = workflow.start(*SLURM)
    wait_for(workflow.queue)
    time.sleep(10)
    wait_for(workflow.queue)
    killed = min(workflow.queue())
    subprocess.run(["scancel", str(killed)], check=True)
    wait_for(lambda: max(workflow.queue(), default=0) > killed + 1)  # it is tried again
    shown = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=True).stdout
    pid_file = next(line.split()[-1] for line in shown.splitlines() if line.startswith("SlurmdPidFile"))
    slurmd = int(Path(pid_file).read_text())
    os.kill(slurmd, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{slurmd}").exists())
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    subprocess.run(["slurmd"], check=True)
    workflow.run(*SLURM)
    run(tiny, tmp_path / "compare", METHODS)
    assert_same(workflow.records, tmp_path / "compare")
