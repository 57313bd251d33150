"""What a profile lacks is told before its first cell."""

import pytest
from helpers.profiles import write_profile

from semalign.experiments import runs
from semalign.experiments.preflight import check_runnable
from semalign.models import processes


def test_a_sound_profile_passes(profile, tmp_path):
    check_runnable(profile, tmp_path / "results", {"micro_gsm8k": True})
    assert not (tmp_path / "results").exists()


def test_a_missing_model_of_a_later_cell_stops_the_first(profile, tmp_path, monkeypatch):
    lacking = write_profile(tmp_path, teachers={"no-such-model": ["micro_gsm8k"]})
    monkeypatch.setattr(runs, "run_cell", lambda *_: pytest.fail("a cell ran"))
    with pytest.raises(FileNotFoundError, match="no model 'no-such-model'"):
        runs.run(lacking, tmp_path / "results")


def test_missing_data_of_a_later_task_stop_the_first(profile, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path / "nowhere"))
    tasks = {"micro_gsm8k": {}, "micro_mbpp": {}}
    lacking = write_profile(tmp_path, tasks=tasks, teachers={})
    with pytest.raises(FileNotFoundError, match="no split 'test' of semalign/micro-mbpp"):
        check_runnable(lacking, tmp_path / "results", dict.fromkeys(tasks, False))


def test_a_folder_that_cannot_be_written_is_told(profile, tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(NotADirectoryError, match="results is a file"):
        check_runnable(profile, tmp_path / "results", {"micro_gsm8k": True})


def test_several_processes_would_each_make_all_cells(profile, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)
    with pytest.raises(ValueError, match="a comparison runs in one process: start it without accelerate launch"):
        runs.run(profile, tmp_path / "results")
    assert not (tmp_path / "results").exists()
