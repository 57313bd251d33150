"""Every verb on tiny models from disk; help reads; errors are one line and say what to do."""

import pytest
from helpers.commands import invoke

from semalign import cli

VERBS = "select basis decompose cka attribute pair transfer evaluate compare run pretrain fetch".split()


def test_help_lists_every_verb():
    output = invoke("--help")
    assert all(verb in output for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    assert "Usage" in invoke(verb, "--help")


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
