"""Records of a profile, on tiny models: complete, resumable, and stale when an input changes."""

import json

import pytest
import torch
from helpers.profiles import write_profile

from semalign.experiments import preflight
from semalign.experiments import runs as experiments
from semalign.experiments.cells import Cell, cells
from semalign.experiments.currency import current, missing
from semalign.experiments.runs import run, run_cell, summary
from semalign.experiments.work_folder import work_path
from semalign.paths import project_root
from semalign.results.records import read_record, read_records, write_record
from semalign.sandbox import SandboxError
from semalign.training.loop import Training


@pytest.mark.slow
def test_a_run_makes_every_record_once_and_goes_on_after_a_stop(profile, tmp_path, monkeypatch):
    original, done = experiments.run_cell, []

    def stopping(profile, cell, path, folder):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(cell)
        return original(profile, cell, path, folder)

    monkeypatch.setattr(experiments, "run_cell", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(profile, tmp_path / "results")
    assert len(list((tmp_path / "results").glob("*.json"))) == 5
    monkeypatch.setattr(experiments, "run_cell", lambda *given: done.append(given[1]) or original(*given))
    run(profile, tmp_path / "results")
    assert sorted(map(str, done)) == sorted(map(str, cells(profile)))
    assert run(profile, tmp_path / "results") == []
    assert len(list((tmp_path / "results").glob("*.samples.jsonl.gz"))) == len(done)
    table = summary(tmp_path / "results")
    assert table["seeds"].tolist().count(2) == 4
    said = read_records(tmp_path / "results")["trained"]
    assert table["idle"].sum() == sum(trained is False for trained in said) > 0
    assert set(table["n"]) == {4}


@pytest.mark.slow
def test_a_cell_that_was_stopped_trains_no_finished_epoch_again(profile, tmp_path, monkeypatch):
    folder = tmp_path / "results"
    cell = next(cell for cell in cells(profile) if cell.teacher)
    name, whole = cell.file_name.removesuffix(".json"), run_cell(profile, cell)
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(experiments, "evaluate", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        run(profile, folder, records=[name])
    work = work_path(folder / cell.file_name)
    assert (work / "adapter_model.safetensors").is_file()
    monkeypatch.setattr(Training, "_step", lambda *_: pytest.fail("it trained again"))
    assert run(profile, folder, records=[name]) == [folder / cell.file_name]
    assert [path.name for path in folder.glob("*.json")] == [cell.file_name]
    record = read_record(folder / cell.file_name)
    assert {key: record[key] for key in ("value", "losses", "configuration")} == {
        key: whole[key] for key in ("value", "losses", "configuration")
    }
    assert not work.exists()
    assert current(profile, folder, records=[name]) == {cell.file_name}


@pytest.mark.slow
def test_a_changed_setting_makes_its_records_stale_and_no_others(profile, tmp_path):
    run(profile, tmp_path / "results")
    changed = write_profile(tmp_path, variants={"entropy": {"all": {"output_loss": "cross_entropy", "epochs": 2}}})
    assert {cell.method for cell in missing(changed, tmp_path / "results")} == {"entropy"}
    kept = current(changed, tmp_path / "results")
    assert kept == {cell.file_name for cell in cells(changed) if cell.method != "entropy"}
    assert set(summary(tmp_path / "results", kept)["method"]) == {"none", "semalign"}
    longer = write_profile(tmp_path, evaluation={"limit": 5, "batch_size": 4})
    assert len(missing(longer, tmp_path / "results")) == 11


@pytest.mark.slow
def test_a_record_has_the_score_of_the_adapted_student(profile):
    cell = Cell("semalign", profile.teacher, profile.student, "micro_gsm8k", 1)
    record = run_cell(profile, cell)
    assert (record["method"], record["teacher"], record["student"], record["seed"]) == (
        "semalign",
        "teacher",
        "student",
        1,
    )
    assert record["metric"].startswith("exact_match")
    assert (record["n"], len(record["details"]["correct"])) == (4, 4)
    assert record["value"] == pytest.approx(100 * record["details"]["correct"].count("1") / 4)
    assert record["fingerprints"].keys() == {"teacher", "student", "data", "test"}
    assert record["configuration"]["split"] == "test"
    assert run_cell(profile, cell)["losses"] == record["losses"]


@pytest.mark.slow
def test_a_record_says_what_the_training_did_on_validation_rows(profile):
    details = run_cell(profile, Cell("semalign", profile.teacher, profile.student, "micro_gsm8k", 1))["details"]
    assert details["steps"] == 2 and details["weight_change"] > 0
    assert details["layer_cosine"].keys() == {"before", "after"}
    held_out = details["held_out"]
    assert (held_out["n"], held_out["split"], len(held_out["row_nll"])) == (2, "validation", 2)
    assert held_out["low"] < held_out["before"] < held_out["high"]


@pytest.mark.slow
def test_a_profile_that_is_not_scored_measures_held_out_losses_and_answers_nothing(profile, tmp_path, monkeypatch):
    for name in ("evaluate", "scored_model"):
        monkeypatch.setattr(experiments, name, lambda *_, **__: pytest.fail("it answered items"))
    monkeypatch.setattr(preflight, "sandbox_of", lambda _: pytest.fail("it asked for a sandbox"))
    (tmp_path / "roots/semalign/micro-gsm8k/test.jsonl").unlink()
    bare, folder = write_profile(tmp_path, scored=False, teachers={}, held_out=2), tmp_path / "results"
    assert [cell.method for cell in cells(bare)] == ["semalign"] * 2 + ["entropy"] * 2, "no model as it is"
    run(bare, folder, ["entropy"])
    record = read_record(folder / f"{cells(bare, ['entropy'])[0].file_name}")
    assert (record["method"], record["metric"], record["configuration"]["method"]) == (
        "entropy", "response_nll", "semalign",
    )  # fmt: skip
    held_out = record["details"]["held_out"]
    assert record["value"] == held_out["after"] and len(held_out["row_nll"]) == 2
    assert missing(bare, folder, ["entropy"]) == {}
    fewer = write_profile(tmp_path, scored=False, teachers={}, held_out=1)
    assert set(missing(fewer, folder, ["entropy"]).values()) == {"stale: other held_out, held_out_hash"}


@pytest.mark.slow
def test_a_method_of_the_registry_is_run_under_its_settings(profile):
    cell = next(cell for cell in cells(profile, ["sft"]) if cell.method == "sft")
    record = run_cell(profile, cell)
    assert (record["method"], record["configuration"]["method"]) == ("sft", "sft")
    assert record["configuration"]["epochs"] == 3  # its own, not the task's
    assert (record["configuration"]["rank"], record["configuration"]["batch_size"]) == (2, 4)
    assert "attribution_examples" not in record["configuration"]


@pytest.mark.slow
def test_a_stale_record_says_what_differs(profile, tmp_path):
    folder = tmp_path / "results"
    cell = Cell("entropy", profile.teacher, profile.student, "micro_gsm8k", 0)
    assert missing(profile, folder)[cell] == "missing"
    write_record(folder / cell.file_name, run_cell(profile, cell))
    assert cell not in missing(profile, folder)
    other = {"entropy": {"method": "cross-entropy", "all": {"epochs": 2}}}
    changed = write_profile(tmp_path, variants=other, tasks={"micro_gsm8k": {"epochs": 1, "train_size": 5}})
    assert missing(changed, folder)[cell] == "stale: other data, held_out_hash, epochs, layer_weight, method"


@pytest.mark.slow
def test_the_sandbox_is_recorded_and_makes_no_record_stale(profile, tmp_path):
    cell = next(cell for cell in cells(profile) if cell.teacher)
    record = run_cell(profile, cell)
    assert record["configuration"]["sandbox"] is None  # no programs
    for sandbox in ("bubblewrap", "limits"):
        configuration = {**record["configuration"], "sandbox": sandbox}
        write_record(tmp_path / cell.file_name, {**record, "configuration": configuration})
        assert cell not in missing(profile, tmp_path)
    del record["configuration"]["sandbox"]
    write_record(tmp_path / cell.file_name, record)
    assert cell not in missing(profile, tmp_path)


def test_without_a_sandbox_for_its_programs_nothing_runs(profile, tmp_path, monkeypatch):
    def refuse(task):
        raise SandboxError(task)

    monkeypatch.setattr(preflight, "sandbox_of", refuse)
    monkeypatch.setattr(experiments, "run_cell", lambda *_: pytest.fail("a cell ran"))
    with pytest.raises(SandboxError, match="micro_gsm8k"):
        run(profile, tmp_path / "results")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_row_that_does_not_fit_its_task_is_found_before_anything_runs(profile, tmp_path, monkeypatch, split):
    path = tmp_path / "roots/semalign/micro-gsm8k" / f"{split}.jsonl"
    path.write_text(path.read_text().replace('"answer"', '"label"', 1))
    monkeypatch.setattr(experiments, "run_cell", lambda *_: pytest.fail("something ran"))
    with pytest.raises(ValueError, match=rf"{split}\.jsonl, line 1: no column 'answer'"):
        run(profile, tmp_path / "results")


@pytest.mark.slow
def test_a_record_from_before_a_setting_was_made_under_its_default(profile, tmp_path):
    folder = tmp_path / "results"
    cell = Cell("semalign", profile.teacher, profile.student, "micro_gsm8k", 0)
    record = run_cell(profile, cell)
    new = ("map", "ridge_penalty", "layer_loss", "schedule")
    record["configuration"] = {key: v for key, v in record["configuration"].items() if key not in new}
    write_record(folder / cell.file_name, record)
    assert cell not in missing(profile, folder)
    given = write_profile(tmp_path, variants={"semalign": {"all": {"map": "ridge"}}})
    assert missing(given, folder)[cell] == "stale: other map"


@pytest.mark.slow
@pytest.mark.parametrize("key", ["chat", "task_version", "method"])
def test_a_record_that_does_not_say_how_it_was_made_is_stale(profile, tmp_path, key):
    cell = Cell("semalign", profile.teacher, profile.student, "micro_gsm8k", 0)
    record = run_cell(profile, cell)
    del record["configuration"][key]
    write_record(tmp_path / cell.file_name, record)
    assert missing(profile, tmp_path)[cell] == f"stale: other {key}"


@pytest.mark.slow
def test_a_method_that_refuses_a_pair_is_an_error_after_all_other_cells(profile, tmp_path, caplog):
    names = ["laten", "sft"]  # LaTen wants more rows than its extract_size
    with pytest.raises(ValueError, match=r"4 cells without a record; laten--.*6 rows leave none to train on"):
        run(profile, tmp_path / "results", names)
    assert caplog.text.count("leave none to train on") == 4
    assert {cell.method for cell in missing(profile, tmp_path / "results", names)} == {"laten"}


def test_entries_without_chosen_settings_are_named_before_anything_runs(profile, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(experiments, "make_all", lambda *_: pytest.fail(caplog.text))
    searched = profile.model_copy(update={"selection": {"sft": {"learning_rate": [1e-3]}}})
    with pytest.raises(pytest.fail.Exception, match="sft: run with settings that were not chosen; `semalign select"):
        run(searched, tmp_path, ["sft", "semalign"])


def test_a_cell_that_does_not_fit_the_memory_stops_no_other(profile, tmp_path, monkeypatch):
    def run_out(profile, cell, path, folder):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    monkeypatch.setattr(experiments, "run_cell", run_out)
    with pytest.raises(ValueError, match=r"^11 cells without a record; none--.*Tried to allocate 2 GiB$"):
        run(profile, tmp_path / "results")


@pytest.mark.slow
def test_compare_shows_only_the_records_that_were_asked_for_and_are_current(profile, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from semalign import cli

    folder = tmp_path / "records"
    narrow = profile.model_copy(update={"teachers": {}, "seeds": [0]})
    run(narrow, folder, ["semalign", "entropy"])
    surplus = read_record(next(folder.glob("entropy--*--0.json")))
    write_record(folder / "surplus.json", {**surplus, "method": "surplus"})
    asked = ["compare", "--profile", str(tmp_path / "tiny.yaml"), "--out", str(folder), "--seeds", "1"]
    monkeypatch.setattr(experiments, "run", lambda *_: [])
    result = CliRunner().invoke(cli.app, [*asked, "--methods", "semalign,entropy"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "entropy" in result.output
    assert "surplus" not in result.output


def test_a_profile_may_name_a_task_file(profile, tmp_path):
    task = project_root() / "examples" / "task" / "arithmetic.yaml"
    mine = write_profile(tmp_path, tasks={str(task): {"epochs": 1, "train_size": 4}}, teachers={}, seeds=[0])
    cell = Cell("semalign", mine.teacher, mine.student, str(task), 0)
    assert cell.file_name.endswith("--arithmetic--0.json")
    record = run_cell(mine, cell)
    assert (record["task"], record["n"]) == ("arithmetic", 4)
    assert run_cell(mine.model_copy(update={"scored": False, "held_out": 2}), cell)["task"] == "arithmetic"
    write_record(tmp_path / cell.file_name, record)
    assert cell not in missing(mine, tmp_path)
    record["configuration"]["task_file"] = "another"
    write_record(tmp_path / cell.file_name, record)
    assert missing(mine, tmp_path)[cell] == "stale: other task_file"


@pytest.mark.slow
def test_a_damaged_record_is_reported_and_made_again_and_the_others_stay(profile, tmp_path, caplog):
    folder, narrow = tmp_path / "results", profile.model_copy(update={"teachers": {}, "seeds": [0], "variants": {}})
    run(narrow, folder)
    paths = {cell: folder / cell.file_name for cell in cells(narrow)}
    before = {cell: json.loads(path.read_text()) for cell, path in paths.items()}
    student, teacher, transfer = paths
    paths[student].write_text(paths[student].read_text()[:100])
    paths[teacher].write_text(paths[teacher].read_text().replace('"status": "done"', '"status": "failed"'))
    reasons = missing(narrow, folder)
    assert list(reasons) == [student, teacher]
    assert reasons[student].startswith("damaged: not JSON: ") and "status" in reasons[teacher]
    assert current(narrow, folder) == {transfer.file_name}
    assert run(narrow, folder) == [paths[student], paths[teacher]]
    assert caplog.text.count("is damaged: ") == 2 and caplog.text.count(": made again") == 2
    after = {cell: json.loads(path.read_text()) for cell, path in paths.items()}
    assert after[transfer] == before[transfer] and missing(narrow, folder) == {}
    assert [after[cell]["value"] for cell in paths] == [before[cell]["value"] for cell in paths]
