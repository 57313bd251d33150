"""Progress: a line on a terminal, lines without control characters in a log."""

import contextlib
import logging
import os
import pty
import sys
import termios

import pytest

from semalign.training import progress as module
from semalign.training.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by two seconds a step."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_log_has_the_first_step_the_last_and_each_twentieth(clock, caplog):
    caplog.set_level(logging.INFO, module.__name__)
    with Progress("steering", 60) as progress:
        for _ in range(60):
            clock[0] += 2
            progress.step({"layer": 0.5, "output": 0.25})
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "steering: step 1 of 60, layer 0.5000, output 0.2500, 01:58 left"
    assert lines[1] == "steering: step 3 of 60, layer 0.5000, output 0.2500, 01:54 left"
    assert lines[-1] == "steering: step 60 of 60, layer 0.5000, output 0.2500, 00:00 left"
    assert len(lines) == 21 and not any(set(line) & set("\r\x1b") for line in lines)


def test_a_slow_training_tells_every_minute_and_one_that_goes_on_begins_where_it_was(clock, caplog):
    caplog.set_level(logging.INFO, module.__name__)
    with Progress("steering", 1000, done=500) as progress:
        for _ in range(5):
            clock[0] += 30
            progress.step({"layer": 0.5})
    steps = [record.getMessage().partition(",")[0] for record in caplog.records]
    assert steps == [f"steering: step {step} of 1000" for step in (501, 503, 505)]
    assert caplog.records[0].getMessage().endswith("4:09:30 left")  # 499 steps of 30 seconds


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch, caplog):
    caplog.set_level(logging.INFO, module.__name__)
    mine, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with Progress("steering", 2) as progress:
            progress._line.mininterval = 0
            progress.step({"layer": 0.5, "output": 0.25})
            progress._line.refresh()
        os.set_blocking(mine, False)
        shown = ""
        with contextlib.suppress(BlockingIOError):
            while True:
                shown += os.read(mine, 10_000).decode()
    os.close(mine)
    assert "steering: step 1 of 2, layer 0.5000, output 0.2500, " in shown and " left" in shown
    assert "\r" in shown and not caplog.records
