"""All verbs are listed with what they do; errors are one line and say what to do."""

import shlex

import pytest
from helpers.commands import invoke
from typer.main import get_command

from semalign import cli

VERBS = (
    "basis decompose attribute pair diagnose transfer settings cka evaluate plan compare select curves sweep run "
    "pretrain fetch cache drop-layers slice"
).split()


def plain(output):
    """Help without its frames and line breaks."""
    return " ".join(output.replace("│", " ").split())


def test_help_lists_every_verb_with_what_it_does():
    output = plain(invoke("--help"))
    assert list(cli.COMMANDS) == VERBS
    for verb, command in cli.COMMANDS.items():
        assert f" {verb} {command.__doc__[:20]}" in output


def test_help_has_the_verbs_in_groups():
    output = plain(invoke("--help"))
    places = [
        output.index(text)
        for text in ("Steps of the method", " basis ", "Measure and compare", " cka ", "Models, data", " fetch ")
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_verb_is_a_command_that_it_takes(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = next(group[verb].example for group in cli.GROUPS.values() if verb in group)
    assert f"Example: semalign {verb} {example}" in plain(invoke(verb, "--help"))
    command = get_command(cli.app).commands[verb]
    with command.make_context(verb, shlex.split(example)) as context:  # reads all arguments, and runs nothing
        assert context.params


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_what_it_does(verb):
    assert plain(cli.COMMANDS[verb].__doc__) in plain(invoke(verb, "--help"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["basis", "no-such-model", "-o", "b.safetensors"], "`semalign fetch NAME` gets"),
        (["basis", "micro-techer", "-o", "b.safetensors"], "no model 'micro-techer', did you mean 'micro-teacher'?"),
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
