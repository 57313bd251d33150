"""Every verb on tiny models from disk; help reads; errors are one line and say what to do."""

import json
import os

import pytest
from typer.testing import CliRunner

from semalign import cli
from semalign.bases.basis import SemanticBasis
from semalign.sandbox import isolation, sandbox_mode

runner = CliRunner()
VERBS = "select basis decompose cka attribute pair transfer evaluate compare run pretrain fetch".split()


@pytest.fixture
def folders(teacher, student, rows, tmp_path):
    for name, (model, tokenizer) in {"teacher": teacher, "student": student}.items():
        model.float().save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def invoke(*arguments):
    result = runner.invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_help_lists_every_verb():
    output = invoke("--help")
    assert all(verb in output for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    assert "Usage" in invoke(verb, "--help")


def test_basis(folders):
    output = invoke("basis", folders / "student", "--out", folders / "basis.safetensors")
    assert "93 atoms in 12 dimensions, rank 12 by cholesky, untied head" in output
    assert SemanticBasis.load(folders / "basis.safetensors").side == "output"


def test_cka_writes_the_figures_data_and_a_record(folders):
    (folders / "prompts.jsonl").write_text("".join(f'{{"prompt": "what is {i}+{i}?"}}\n' for i in range(6)))
    given = ("cka", folders / "teacher", folders / "student", "--prompts", folders / "prompts.jsonl")
    output = invoke(*given, "--limit", 5, "--out", folders / "fig4")
    assert "within 1 of their own" in output
    record = json.loads((folders / "fig4.json").read_text())
    assert (record["teacher"], record["student"], record["configuration"]["prompts"]) == ("teacher", "student", 5)
    assert (folders / "fig4.csv").read_text().startswith("picture,states,kernel,teacher_layer")


def test_attribute_marks_the_critical_layer(folders):
    output = invoke("attribute", folders / "teacher", "--data", folders / "rows.jsonl", "--examples", 3)
    assert output.count("<- critical") == 1
    assert len(output.strip().splitlines()) == 6


def test_pair_takes_models_or_numbers(folders):
    expected = invoke("pair", 5, 4, "--critical", 4)
    assert "teacher layer 5 supervises student layer 4" in expected
    assert invoke("pair", folders / "teacher", folders / "student", "--critical", 4) == expected


def test_transfer_writes_an_adapter_and_a_record(folders):
    output = invoke(
        "transfer", folders / "teacher", folders / "student", "--data", folders / "rows.jsonl",
        "--out", folders / "run",
        "--validation", folders / "rows.jsonl", "--examples", 6, "--set", "epochs=1", "--set", "learning_rate=1e-3",
        "-s", "attribution_examples=2",
    )  # fmt: skip
    assert "student layer" in output
    assert "response_nll" in output
    record = json.loads((folders / "run" / "record.json").read_text())
    assert record["configuration"]["learning_rate"] == 1e-3
    assert (record["task"], len(record["losses"])) == ("rows", 1)
    assert (folders / "run" / "adapter_model.safetensors").exists()


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
    monkeypatch.setattr("sys.argv", "semalign evaluate no-such-model -t micro_mbpp --sandbox bubblewrap".split())
    with pytest.raises(SystemExit) as stopped:
        cli.entry_point()
    error = capsys.readouterr().err.strip()
    assert stopped.value.code == 1 and "\n" not in error
    assert "apt-get install bubblewrap" in error and "--sandbox=limits" in error


def test_a_setting_needs_a_value(folders):
    result = runner.invoke(cli.app, ["transfer", "a", "b", "-d", "task", "-o", "x", "--set", "seed"])
    assert result.exit_code != 0


def test_drop_layers_makes_a_student_and_transfer_holds_rows_out(folders):
    output = invoke("drop-layers", folders / "teacher", "--every", 2, "--out", folders / "short")
    assert "3 layers" in output
    invoke(
        "transfer", folders / "teacher", folders / "short", "--data", folders / "rows.jsonl", "--out", folders / "run",
        "--examples", 6, "--hold-out", 4, "-s", "epochs=1", "-s", "attribution_examples=2",
    )  # fmt: skip
    record = json.loads((folders / "run" / "record.json").read_text())
    assert (record["student"], record["n"]) == ("short", 4)


def test_slice_makes_a_narrower_student(folders):
    output = invoke(
        "slice", folders / "teacher", "--width", 12, "--data", folders / "rows.jsonl", "--out", folders / "narrow"
    )
    assert "5 layers, width 12" in output
    assert json.loads((folders / "narrow" / "config.json").read_text())["hidden_size"] == 12
