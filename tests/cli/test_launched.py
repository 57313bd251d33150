"""The command in several processes, by the launchers that people use: one result, one writer, one end."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import typer
from helpers.commands import invoke, runner
from safetensors.torch import load_file

from semalign import cli
from semalign.cli import launched
from semalign.models import processes
from semalign.models.saving import save_model

TORCHRUN = ["torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
ACCELERATE = [
    *("accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
]
ROWS = [{"prompt": f"what is {a}+{b}?", "response": f" {a}+{b}={a + b}."} for a in range(4) for b in range(3)]
FAILING = '''
import os
from semalign.training.layer_losses import layer_loss
from semalign.training.layer_losses.cosine import cosine

@layer_loss("failing")
def failing(states, targets, rows, seen=[]):
    """Raise in the second process at its third step."""
    seen.append(1)
    if os.environ["RANK"] == "1" and len(seen) == 3:
        raise ValueError("nothing works here")
    return cosine(states, targets, rows)
'''


@pytest.fixture
def two(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", sys.stdout)


def test_without_a_launcher_a_command_runs(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 1 / 0)
    assert "layer 4" in invoke("pair", 5, 4, "--critical", 5) and launched.prefix() == "semalign"


def test_a_verb_that_is_not_shared_out_is_refused_once(two, monkeypatch):
    assert set(cli.COMMANDS) > set(launched.SHARED) == {"transfer", "attribute"}
    result = runner.invoke(cli.app, ["pair", "5", "4"])
    assert result.exit_code == 2 and "pair runs in one process" in result.output
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(typer.Exit) as end:
        launched.alone("pair", print)()
    assert end.value.exit_code == 2


def test_only_the_first_process_speaks(two, monkeypatch, capsys):
    launched.hush()
    print("first")
    monkeypatch.setenv("RANK", "1")
    launched.hush()
    print("second")
    logging.getLogger("semalign").setLevel(logging.WARNING)
    assert capsys.readouterr().out == "first\n"


def test_errors_say_which_process_has_them(two, monkeypatch):
    assert launched.prefix() == "semalign, process 1 of 2"
    monkeypatch.delenv("WORLD_SIZE")
    assert launched.prefix() == "semalign"


@pytest.fixture
def place(tmp_path, teacher, student, monkeypatch):
    """The working directory, with two models and rows."""
    monkeypatch.chdir(tmp_path)
    for name, model in (("teacher", teacher), ("student", student)):
        save_model(model, tmp_path / name)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


def start(place: Path, launcher: list[str], *arguments: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SEMALIGN_CACHE": str(place / "cache")}
    command = [sys.executable, "-m", *launcher, "-m", "semalign", *arguments]
    return subprocess.Popen(
        command, cwd=place, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def alone(*arguments: str) -> str:
    """Return what the command prints without a launcher, in this process."""
    result = runner.invoke(cli.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def transfer(out: str, *more: str, epochs: int = 2) -> list[str]:
    settings = {"epochs": epochs, "batch_size": 5, "rank": 2, "attribution_examples": 12, "learning_rate": 0.01}
    options = [part for key, value in settings.items() for part in ("-s", f"{key}={value}")]
    return ["transfer", "teacher", "student", "-d", "rows.jsonl", "-o", out, "--hold-out", "2", *options, *more]


def untimed(text):
    """Return the lines of a summary without the seconds that the run took."""
    return re.sub(r"steps in \d+ s", "steps in s", text).splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate"])
def test_a_transfer_by_two_processes_is_that_of_one(place, launcher):
    status, out, err = ended(start(place, launcher, *transfer("two")))
    assert status == 0, err
    lines = untimed(alone(*transfer("one")))
    assert lines == untimed(out.replace("in two", "in one")) and len(lines) == 8
    records = [json.loads((place / out / "record.json").read_text()) for out in ("one", "two")]
    for one, two in zip(records[0]["losses"], records[1]["losses"], strict=True):
        assert one == pytest.approx(two, abs=1e-6)
    weights = [load_file(place / out / "adapter_model.safetensors") for out in ("one", "two")]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-6, atol=1e-6)
    assert sorted(os.listdir(place / "one")) == sorted(os.listdir(place / "two"))


@pytest.mark.slow
def test_attribution_by_two_processes_is_printed_once(place):
    arguments = ["attribute", "teacher", "-d", "rows.jsonl"]
    status, out, _ = ended(start(place, TORCHRUN, *arguments))
    assert status == 0 and out == alone(*arguments) and out.count("critical") == 1


@pytest.mark.slow
def test_a_verb_that_is_not_shared_out_ends_a_launch(place):
    status, out, err = ended(start(place, TORCHRUN, "compare", "--dry-run"))
    assert status != 0 and not out and err.count("compare runs in one process") == 1


@pytest.mark.slow
def test_a_process_that_raises_ends_the_run(place):
    (place / "own").mkdir()
    (place / "own" / "failing.py").write_text(FAILING)
    arguments = ["--include", "own", *transfer("out", "-s", "layer_loss=failing")]
    status, out, err = ended(start(place, ACCELERATE, *arguments))
    assert status != 0 and not out and "semalign, process 2 of 2: nothing works here" in err
    assert not (place / "out" / "adapter_model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_run(place, victim):
    launch = start(place, TORCHRUN, *transfer("out", epochs=100_000))
    while not (place / "out" / "checkpoint.safetensors").is_file():
        assert launch.poll() is None, launch.communicate()
        time.sleep(0.2)
    children = Path(f"/proc/{launch.pid}/task/{launch.pid}/children").read_text().split()
    workers = [pid for pid in map(int, children) if b"semalign" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(workers[victim], signal.SIGKILL)
    status, _, err = ended(launch)
    assert status != 0 and "SIGKILL" in err
    assert not (place / "out" / "adapter_model.safetensors").exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
