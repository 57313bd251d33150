"""The options that say in which type and where models are loaded."""

import os

import pytest
from helpers.commands import invoke, runner

from semalign import cli
from semalign.cli.placing import placed
from semalign.models.placement import VARIABLES

LOADING = [
    "basis",
    "decompose",
    "attribute",
    "transfer",
    "cka",
    "evaluate",
    "compare",
    "select",
    "curves",
    "sweep",
    "run",
]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, "")


@pytest.mark.parametrize("verb", [*LOADING, "drop-layers", "slice"])
def test_a_verb_that_loads_a_model_takes_all_three(verb):
    help_text = invoke(verb, "--help")
    assert all(option in help_text for option in ("--dtype", "--device", "--device-map"))


def test_options_hold_for_the_process_and_its_children_before_the_profile(tmp_path):
    (tmp_path / "own.yaml").write_text(
        "teacher: micro-teacher\nstudent: micro-student\ntasks: {micro_gsm8k: {epochs: 1}}\n"
        "models: {dtype: bfloat16, device_map: auto}\n"
    )
    given = ["compare", "--profile", tmp_path / "own.yaml", "--dry-run", "--out", tmp_path, "--dtype", "float16"]
    invoke(*given, "--device", "cpu")
    assert [os.environ.get(variable, "") for variable in VARIABLES.values()] == ["float16", "cpu", ""]
    os.environ["SEMALIGN_DEVICE"] = ""
    invoke(*given)
    assert [os.environ.get(variable, "") for variable in VARIABLES.values()] == ["float16", "", "auto"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dtype", "half"], "dtype 'half' is not one of float32, float16, bfloat16, auto"),
        (["--device", "gpu"], "device 'gpu' is not one of cpu, cuda, cuda:N"),
        (["--device-map", "all"], "device_map 'all' is not auto, balanced"),
        (["--device", "cpu", "--device-map", "auto"], "device and device_map exclude each other"),
        (["--device-map", "auto", "--device", "cpu"], "device and device_map exclude each other"),
    ],
)
def test_a_wrong_value_is_a_mistake_of_usage(options, message):
    result = runner.invoke(cli.app, ["attribute", "no-such-model", "-d", "micro_gsm8k", *options])
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_the_command_itself_sees_its_own_arguments_only():
    seen = []

    @placed
    def command(model: str, number: int = 1) -> None:
        """Doc."""
        seen.append((model, number))

    command("a", number=2)
    command(model="b", dtype="float32", device=None)
    assert seen == [("a", 2), ("b", 1)] and command.__doc__ == "Doc."
