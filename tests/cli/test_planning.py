"""``semalign plan`` from the command line."""

import json

import pytest
import typer
from typer.testing import CliRunner

from semalign.cli import app
from semalign.cli.planning import bytes_of


def run(*arguments):
    return CliRunner().invoke(app, ["plan", *arguments])


def test_sizes_have_units():
    assert [bytes_of(text) for text in ("80GB", "40 GiB", "512mb", None)] == [80 * 10**9, 40 * 2**30, 512 * 10**6, None]


@pytest.mark.parametrize("text", ["80", "GB", "0GB", "-1GB", "80TB"])
def test_what_is_no_size_is_an_error_of_usage(text):
    with pytest.raises(typer.BadParameter, match="is no size"):
        bytes_of(text)


@pytest.mark.slow
def test_a_plan_without_network_weights_or_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    options = ("--methods", "sft", "--gpus", "2", "--gpu-memory", "40GB", "--json", "~/plan.json")
    found = run("--profile", "llama2", *options)
    assert found.exit_code == 0, found.output
    assert "estimate for 2 x A100 with 40.0 GB" in found.output
    assert json.loads((tmp_path / "plan.json").read_text())["totals"]["jobs"] > 30


@pytest.mark.parametrize("wrong", [("--gpu", "v100"), ("--dtype", "int8"), ("--gpus", "0"), ("--methods", "semalgin")])
def test_wrong_options_are_errors_of_usage(wrong):
    found = run("--profile", "llama2", *wrong)
    assert found.exit_code == 2
