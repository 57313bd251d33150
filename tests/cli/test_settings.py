"""Settings are listed as --set takes them."""

from helpers.commands import invoke, runner
from pydantic import Field

from semalign import cli
from semalign.cli.inputs import settings_of
from semalign.methods.registry import Method, methods
from semalign.settings import MethodSettings


def test_every_setting_of_every_method_is_listed_with_a_default_that_can_be_given():
    for name, entry in methods().items():
        lines = invoke("settings", name).splitlines()
        given = [line.partition("  (")[0] for line in lines]
        assert entry.settings(**settings_of(given)) == entry.settings()
        assert [text.partition("=")[0] for text in given] == list(entry.settings.model_fields)


def test_a_line_says_values_default_and_meaning():
    lines = invoke("settings").splitlines()
    assert "rank=16  (integer ≥ 1): LoRA rank r" in lines
    assert "teacher_layer=null  (integer ≥ 1 or None): critical teacher layer, 1-based; None: attribution" in lines
    assert any(line.startswith("map=semantic  (learned, least_squares, none, permuted,") for line in lines)
    assert any(line.startswith("map=ridge  (fixed): ") for line in invoke("settings", "ridge").splitlines())


def test_a_misspelt_key_value_or_method_is_told_the_nearest(folders):
    given = ["transfer", folders / "teacher", folders / "student", "-d", folders / "rows.jsonl", "-o", folders / "run"]
    for wrong, near in (
        (("--set", "rnk=1"), "did you mean 'rank'?; `semalign settings semalign` lists them"),
        (("--set", "interface=mpl"), "did you mean 'mlp'?"),
        (("--set", "map=semantc"), "did you mean 'semantic'?"),
        (("--method", "sfft"), "did you mean 'sft'?"),
    ):
        result = runner.invoke(cli.app, [*map(str, given), *wrong])
        assert result.exit_code == 2 and near in " ".join(result.output.replace("│", " ").split())
    assert "did you mean 'ridge'" in runner.invoke(cli.app, ["settings", "rigde"]).output


def test_a_setting_without_a_default_is_listed_as_required(monkeypatch):
    class Needs(MethodSettings):
        need: int = Field(description="what it needs")

    own = Method("mine", "control", "hu2022lora", "My own.", Needs, lambda inputs: None)
    monkeypatch.setattr("semalign.methods.registry.method", lambda name: own)
    assert "need=required  (integer): what it needs" in invoke("settings", "mine").splitlines()
