"""How the command ends: the status, and one line on standard error."""

import re
import subprocess
import sys

import pytest
import torch
import typer
from helpers.endings import ended

from semalign.cli.errors import BUG
from semalign.sandbox import SandboxError
from semalign.stopping import Stopped


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("a\nb"), 1, "semalign: a b"),
        (FileNotFoundError("no file"), 1, "semalign: no file"),
        (ImportError("no module"), 1, "semalign: no module"),
        (FloatingPointError("the loss is NaN"), 1, "semalign: the loss is NaN"),
        (MemoryError(), 1, "semalign: MemoryError"),
        (torch.OutOfMemoryError("out of\nmemory"), 1, "semalign: out of memory"),
        (SandboxError("no bwrap"), 1, "semalign: no bwrap"),
        (typer.BadParameter("not 1"), 2, "semalign: Invalid value: not 1; see `semalign --help`"),
        (typer.Exit(1), 1, ""),
        (typer.Abort(), 130, "semalign: stopped"),
        (KeyboardInterrupt(), 130, ""),
        (Stopped("stopped by SIGTERM"), 75, "semalign: stopped by SIGTERM"),
    ],
)
def test_an_expected_error_is_one_line(error, status, line, capsys, monkeypatch):
    assert ended(error, capsys, monkeypatch) == (status, f"{line}\n" if line else "")


def test_an_error_of_semalign_says_so_and_shows_more_when_asked(capsys, monkeypatch):
    where = r"KeyError at endings\.py:\d+: 'x' \(--verbose: more\)"
    line = rf"^semalign: this is an error in semalign, please report it: {where}\n$"
    status, told = ended(KeyError("x"), capsys, monkeypatch)
    assert status == BUG and re.match(line, told)
    status, told = ended(KeyError("x"), capsys, monkeypatch, "--verbose")
    assert status == BUG and told.startswith("Traceback") and re.match(line, told.splitlines()[-1] + "\n")


def test_a_reader_that_has_gone_ends_the_command_quietly():
    command = f"{sys.executable} -m semalign pair 9999 9999 | head -1"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert ran.stdout.split() == ["student", "teacher", "interpolated"] and ran.stderr == ""
