"""Options that several commands take, and the checks of their values."""

import os

import pytest
import typer
from helpers.commands import invoke, runner

from semalign import cli
from semalign.cli.options import choice, names_of
from semalign.sandbox import isolation, sandbox_mode


@pytest.mark.parametrize("verb", ["evaluate", "compare", "select", "run"])
def test_verbs_that_run_programs_take_a_sandbox(verb):
    help_text = " ".join(invoke(verb, "--help").replace("│", " ").split())
    assert "--sandbox" in help_text and "bubblewrap|limits" in help_text and "SEMALIGN_SANDBOX" in help_text


def test_the_sandbox_holds_for_the_process_and_its_children(monkeypatch, tmp_path):
    monkeypatch.setenv("SEMALIGN_SANDBOX", "bubblewrap")
    invoke("compare", "--sandbox", "limits", "--dry-run", "--methods", "semalign", "--out", tmp_path)
    assert os.environ["SEMALIGN_SANDBOX"] == sandbox_mode() == "limits"
    result = runner.invoke(cli.app, ["run", "--sandbox=none"])
    assert result.exit_code == 2 and "'none' is not one of bubblewrap, limits" in result.output
    assert os.environ["SEMALIGN_SANDBOX"] == "limits"


def test_no_sandbox_is_an_error_of_one_line(monkeypatch, capsys):
    monkeypatch.setattr(isolation, "_problem", lambda: "bwrap is not installed")
    monkeypatch.setenv("SEMALIGN_SANDBOX", "limits")
    monkeypatch.setattr("sys.argv", "semalign evaluate micro-student -t micro_mbpp --sandbox bubblewrap".split())
    with pytest.raises(SystemExit) as stopped:
        cli.entry_point()
    error = capsys.readouterr().err.strip()
    assert stopped.value.code == 1 and "\n" not in error
    assert "apt-get install bubblewrap" in error and "--sandbox=limits" in error


def test_a_choice_is_one_of_the_allowed_values():
    assert choice("mlp", "attention", "mlp") == "mlp"
    with pytest.raises(typer.BadParameter, match="'mpl' is not one of attention, mlp"):
        choice("mpl", "attention", "mlp")


def test_names_are_parted_by_commas():
    assert names_of("semalign, sft,seeking") == ["semalign", "sft", "seeking"]
    assert names_of(None) is None


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize(
    "command",
    [
        "transfer micro-teacher micro-student --data micro_gsm8k",
        "basis micro-student",
        "decompose micro-student",
        "evaluate micro-student --task micro_gsm8k",
    ],
)
def test_a_blank_output_is_not_the_working_folder(command, blank, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(cli.app, [*command.split(), "--out", blank])
    assert result.exit_code == 2 and "the path is blank: name a folder or file" in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []


def test_the_working_folder_may_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("mine")
    command = "transfer micro-teacher micro-student --data micro_gsm8k --examples 2 --out ."
    with pytest.raises(ValueError, match=r"^\. holds README\.md, which this run would replace"):
        runner.invoke(cli.app, command.split(), catch_exceptions=False)
