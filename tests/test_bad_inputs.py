"""Every mistake in the table ends in one line that says what is wrong, with the right status, and never a traceback."""

import os
import shlex

import pytest
import torch
from helpers.bad_inputs import CALLS, COMMANDS
from helpers.bad_places import make_place
from jaxtyping import TypeCheckError

from semalign import cli
from semalign.included import VARIABLE


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    torch.set_num_threads(1)
    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """Nothing is fetched, and what a command sets for its process is undone."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in (VARIABLE, "SEMALIGN_DATA", "SEMALIGN_SANDBOX"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def is_one_line(message: str) -> bool:
    return "\n" not in message and "Traceback" not in message and "errors.pydantic.dev" not in message


def test_the_table_is_long_enough():
    assert len({command.arguments for command in COMMANDS}) == len(COMMANDS) >= 120
    assert len({call.name for call in CALLS}) == len(CALLS) >= 60


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.arguments)
def test_a_command_ends_in_one_line(command, place, monkeypatch, capsys):
    arguments = shlex.split(command.arguments.replace("{place}", str(place)))
    monkeypatch.setattr("sys.argv", ["semalign", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.entry_point()
    message = capsys.readouterr().err.strip()
    assert message.startswith("semalign")
    assert is_one_line(message)
    assert command.words in message
    assert stopped.value.code == command.status


@pytest.mark.parametrize("case", CALLS, ids=lambda case: case.name)
def test_a_call_raises_one_line(case, place):
    with pytest.raises((ValueError, OSError, ImportError, TypeCheckError)) as raised:
        case.call(place)
    if isinstance(raised.value, TypeCheckError):  # of the tests alone, which check the types of all arguments
        return
    message = str(raised.value)
    assert is_one_line(message)
    assert case.words in message
