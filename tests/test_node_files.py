"""The files for a node: the job script of Slurm, the pins for CUDA, and the container."""

import os
import re
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "workflow" / "job.sbatch"
WAIT = "[ -e wait ] && { touch started; while :; do sleep 0.05; done; }"


@pytest.fixture
def job(tmp_path):
    """Start the job script for the second of two records; `semalign` and `scontrol` note their calls."""
    (tmp_path / "records.txt").write_text("one\ntwo\n")
    for name, body in {
        "semalign": f"trap 'exit 75' TERM; {WAIT}; exit $STATUS",
        "scontrol": "",
    }.items():
        path = tmp_path / name
        path.write_text(f'#!/bin/bash\necho {name} "$@" "$HF_HUB_OFFLINE" "$SEMALIGN_CACHE" >> calls\n{body}\n')
        path.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SCRATCH": str(tmp_path / "scratch"), "STATUS": "0"}
    environment |= {"SLURM_ARRAY_TASK_ID": "2", "SLURM_JOB_ID": "7"}

    def start(*arguments, **variables):
        command = ["bash", str(SCRIPT), *arguments]
        return subprocess.Popen(command, cwd=tmp_path, env={**environment, **variables}, stderr=subprocess.PIPE)

    return start


def test_a_job_without_a_record_ends_at_once(job, tmp_path):
    process = job("llama2", "records.txt", SLURM_ARRAY_TASK_ID="3")
    assert b"has no record in line 3" in process.communicate()[1] and process.returncode == 0
    assert not (tmp_path / "calls").exists()


def test_a_job_makes_the_record_of_its_number_without_a_network(job, tmp_path):
    assert job("llama2", "records.txt", "--methods", "all").wait() == 0
    call = f"semalign compare --profile llama2 --only two --methods all 1 {tmp_path}/scratch/semalign\n"
    assert (tmp_path / "calls").read_text() == call


def test_a_job_that_is_told_to_stop_goes_back_to_the_queue(job, tmp_path):
    (tmp_path / "wait").touch()
    process = job("llama2", "records.txt")
    while not (tmp_path / "started").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 75
    assert (tmp_path / "calls").read_text().splitlines()[1].startswith("scontrol requeue 7 ")


def test_a_job_that_fails_does_not(job, tmp_path):
    assert job("llama2", "records.txt", STATUS="1").wait() == 1
    assert "scontrol" not in (tmp_path / "calls").read_text()


def test_what_a_job_needs_is_told(job):
    process = job("llama2", "records.txt", SCRATCH="")
    assert b"set SCRATCH to a folder that all nodes can read and write" in process.communicate()[1]
    assert process.returncode != 0


def test_the_pins_for_cuda_are_those_of_everybody_and_of_the_extra():
    lines = [line for line in (ROOT / "constraints-cuda.txt").read_text().splitlines() if not line.startswith("#")]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert lines[0] == "-c constraints.txt" and extras["vllm"][0] in lines
    here = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    assert not {line.split("==")[0] for line in lines[1:]} & here.keys()


def test_the_container_copies_what_an_installation_needs():
    definition = (ROOT / "workflow" / "semalign.def").read_text()
    copied = re.findall(r"^    (\S+) /opt/semalign/", definition, re.MULTILINE)
    assert all((ROOT / path).exists() for path in copied)
    assert {"src", "setup.py", "constraints.txt", "constraints-cuda.txt", "data/models"} <= set(copied)


def test_what_every_run_of_the_workflow_reads_overrides_nothing_of_a_cluster():
    profiles = (ROOT / "workflow" / name / "config.yaml" for name in ("profiles/default", "slurm"))
    default, cluster = (yaml.safe_load(path.read_text()) for path in profiles)
    assert not default.keys() & cluster.keys()  # Snakemake takes the first
    assert cluster["retries"] == 5
