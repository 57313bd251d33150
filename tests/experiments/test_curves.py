"""Curves on tiny models: the points of a training that is the same without them."""

from types import SimpleNamespace

import pytest
from helpers.profiles import FAST, write_profile

from semalign.experiments import curves, preflight
from semalign.experiments.curves import Curves, lengthened, points, run
from semalign.experiments.inputs import held_out_rows, source_once, training_rows
from semalign.experiments.profiles import load_profile
from semalign.methods.registry import methods
from semalign.methods.runner import run_method
from semalign.paths import results_dir
from semalign.results.records import read_record
from semalign.sandbox import SandboxError


def test_every_entry_trains_for_as_many_epochs_as_the_last_point_needs(profile):
    long = lengthened(profile, ["semalign", "entropy", "sft"], 7)  # two steps an epoch
    found = [long.settings_for("micro_gsm8k", name) for name in ("semalign", "entropy", "sft")]
    assert [each["epochs"] for each in found] == [4, 4, 4]
    assert found[1]["output_loss"] == "cross_entropy" and long.method_of("sft").name == "sft"
    assert profile.settings_for("micro_gsm8k", "semalign")["epochs"] == 1


def test_an_entry_with_fewer_rows_of_its_own_trains_for_more_epochs(tmp_path, profile):
    few = {"few": {"all": {"train_size": 3}}, "many": {"all": {"train_size": 5}}}
    long = lengthened(write_profile(tmp_path, variants=few), ["few", "many"], 7)  # one step an epoch, and two
    assert [long.settings_for("micro_gsm8k", name)["epochs"] for name in few] == [7, 4]


def test_a_curve_that_would_end_early_is_not_written_and_stops_no_other(profile, tmp_path, monkeypatch):
    trained = []

    def short(profile, teacher, task, entry, settings, watch):
        trained.append(settings["seed"])
        watch.points.extend({"step": step} for step in (0, 3))
        return SimpleNamespace(record={"details": {"steps": 6}})

    monkeypatch.setattr(curves, "measured_transfer", short)
    message = r"2 curves without a record; semalign--.*: the training has 6 steps, .*the curve has points up to 7"
    with pytest.raises(ValueError, match=message):
        run(Curves(profile, ["semalign"], tmp_path / "curves", steps=(0, 3, 7), scored=()))
    assert trained == [0, 1] and not list(tmp_path.glob("curves/*.json"))


@pytest.mark.parametrize("scored", [True, False])
def test_a_sandbox_is_asked_for_before_anything_runs_if_points_are_scored(profile, tmp_path, monkeypatch, scored):
    def refuse(task):
        raise SandboxError(task)

    monkeypatch.setattr(preflight, "sandbox_of", refuse)
    monkeypatch.setattr(curves, "_record", lambda *_: pytest.fail("it ran"))
    bare = profile.model_copy(update={"scored": scored})
    with pytest.raises(SandboxError, match="micro_gsm8k"):
        run(Curves(bare, ["semalign"], tmp_path / "curves", steps=(0, 3), scored=(3,)))
    with pytest.raises(pytest.fail.Exception, match="it ran"):
        run(Curves(bare, ["semalign"], tmp_path / "curves", steps=(0, 3), scored=()))


def test_all_entries_are_all_methods(profile, tmp_path):
    names = [*methods(), "entropy"]
    assert Curves(profile, ["all"]).entries == names
    with pytest.raises(ValueError, match="does not train the student in one go"):
        run(Curves(profile, ["all"], tmp_path / "curves"))


@pytest.mark.parametrize("name", ["laten", "frontier"])
def test_a_method_of_several_trainings_or_none_is_refused_before_anything_runs(profile, tmp_path, monkeypatch, name):
    monkeypatch.setattr(curves, "measured_transfer", lambda *_, **__: pytest.fail("it ran"))
    with pytest.raises(ValueError, match=f"{name} does not train the student in one go"):
        run(Curves(profile, [name], tmp_path / "curves"))


@pytest.mark.slow
def test_a_curve_is_that_of_the_training_without_it(profile, tmp_path, monkeypatch):
    profile = write_profile(tmp_path, seeds=[1], transfer={**FAST, "learning_rate": 1e-2, "lora_dropout": 0.1})
    folder = tmp_path / "curves"
    wanted = Curves(profile, ["semalign", "sft"], folder, steps=(0, 3, 4), scored=(0, 4))
    found = run(wanted)
    assert found[["method", "step"]].to_numpy().tolist() == [[m, n] for m in ("semalign", "sft") for n in (0, 3, 4)]
    assert found["layer_cosine"].isna().tolist() == [False] * 3 + [True] * 3
    assert found["score"].isna().tolist() == [False, True, False] * 2
    assert found["score"].dropna().between(0, 100).all()
    for method, line in found.groupby("method"):
        record = read_record(next(folder.glob(f"{method}--*.json")))
        settings = {**profile.settings_for("micro_gsm8k", method), "epochs": 2, "seed": 1}
        rows, validation = training_rows(profile, "micro_gsm8k"), held_out_rows(profile, "micro_gsm8k")[0]
        models = source_once(profile.teacher), source_once(profile.student)
        plain = run_method(method, *models, rows, validation=validation, **settings).record
        assert record["losses"] == plain["losses"]  # bit for bit, with dropout
        own, expected = record["details"]["held_out"], plain["details"]["held_out"]
        assert own["after"] == expected["after"] != own["before"]
        nll = line["response_nll"].tolist()
        assert [nll[0], nll[-1]] == pytest.approx([own["before"], own["after"]], rel=1e-6)
        assert nll[1] not in nll[::2]
    last, record = found["layer_cosine"].tolist()[:3], read_record(next(folder.glob("semalign*.json")))
    assert [last[0], last[-1]] == list(record["details"]["layer_cosine"].values())
    monkeypatch.setattr(curves, "measured_transfer", lambda *_, **__: pytest.fail("it ran again"))
    assert run(wanted).equals(found) and found.equals(points(wanted.current))
    assert len(wanted.current) == 2
    longer = Curves(profile, ["semalign", "sft"], folder, steps=(0, 3, 4), scored=(0,))
    assert longer.current == [] and longer.reason(longer.cells[0]) == "stale: other scored_steps"


def test_the_command_takes_the_profile_as_it_was_given(profile, tmp_path):
    assert Curves(profile).command == f"semalign curves --profile {tmp_path}/tiny.yaml --seeds 2"


def test_curves_are_of_the_papers_method_its_terms_and_controls():
    literal = Curves(load_profile("micro"))
    assert literal.entries[:2] == ["semalign", "permuted-atoms"] and "laten" not in literal.entries
    assert {"semalign-tuned", "output-cosine", "cross-entropy"} <= set(Curves(load_profile("micro-tuned")).entries)
    assert literal.place == results_dir() / "micro-curves"
    assert literal.command == "semalign curves --profile micro --seeds 5"
    assert (
        Curves(load_profile("micro"), ["a", "b"]).command == "semalign curves --profile micro --methods a,b --seeds 5"
    )
