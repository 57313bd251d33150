"""All verbs are listed with what they do; errors are one line and say what to do."""

import pytest
from helpers.commands import invoke

from semalign import cli

VERBS = (
    "basis decompose attribute pair diagnose transfer cka evaluate plan compare select run pretrain fetch drop-layers "
    "slice"
).split()


def plain(output):
    """Help without its frames and line breaks."""
    return " ".join(output.replace("│", " ").split())


def test_help_lists_every_verb_with_what_it_does():
    output = plain(invoke("--help"))
    assert list(cli.COMMANDS) == VERBS
    for verb, command in cli.COMMANDS.items():
        assert f" {verb} {command.__doc__[:20]}" in output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_what_it_does(verb):
    assert plain(cli.COMMANDS[verb].__doc__) in plain(invoke(verb, "--help"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["basis", "no-such-model", "-o", "b.safetensors"], "semalign fetch no-such-model"),
        (["pair", "5", "4", "--critical", "9"], "layers are 1..5"),
        (["transfer", "a", "b", "--data", "missing.jsonl", "--out", "x"], "no data file missing.jsonl"),
        (["evaluate", "no-such-model", "--task", "micro_mmul"], "micro_mmlu"),
    ],
)
def test_errors_are_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["semalign", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.entry_point()
    assert stopped.value.code == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
