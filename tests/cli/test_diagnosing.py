"""The command that diagnoses a pair."""

from typer.testing import CliRunner

from semalign.cli import app


def test_a_pair_is_diagnosed_from_the_shell(folders):
    out = folders / "diagnosis"
    options = ["--data", str(folders / "rows.jsonl"), "--out", str(out), "--examples", "8", "--layer", "4"]
    result = CliRunner().invoke(app, ["diagnose", str(folders / "teacher"), str(folders / "student"), *options])
    assert result.exit_code == 0, result.output
    assert "Atoms" in result.output and "What to run" in result.output
    assert {path.name for path in out.iterdir()} == {
        "diagnosis.json", "readings.csv", "readings.svg", "patches.csv", "patches.svg",
    }  # fmt: skip
    swapped = CliRunner().invoke(app, ["diagnose", str(folders / "student"), str(folders / "teacher"), *options])
    assert "is the record of 'teacher' and 'student': choose another --out" in str(swapped.exception)


def test_a_wrong_setting_is_told_before_any_model_is_read(folders):
    options = ["--data", str(folders / "rows.jsonl"), "--out", str(folders / "x"), "-s", "interface=mpl"]
    result = CliRunner().invoke(app, ["diagnose", str(folders / "teacher"), str(folders / "student"), *options])
    assert result.exit_code == 2 and "interface" in result.output
