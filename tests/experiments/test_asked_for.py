"""Layers and rows that are not there are told before anything runs, and by a dry run."""

import json
import subprocess
import sys

import pytest
from helpers.commands import invoke
from helpers.profiles import FAST, write_profile

from semalign.experiments import runs
from semalign.experiments.asked_for import check_asked, layers_named, layers_on_disk, rows_on_disk
from semalign.experiments.preflight import check_runnable
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import load_profile

LAYERS = {"teacher": 5, "student": 4, "coder": 3}


def check(profile, rows=12):
    by_name = {str(model): LAYERS[model.rpartition("/")[2]] for model in map(str, names(profile))}
    check_asked(profile, profile.tasks, by_name.get, lambda _: rows)


def names(profile):
    return [profile.teacher, profile.student, *profile.teachers]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"student_layer": 5}, "mine on micro_gsm8k: student layer 5 does not exist: .*/student has layers 1..4$"),
        ({"student_layers": [4, 9]}, "mine on micro_gsm8k: student layer 9 does not exist: .*/student has"),
        ({"teacher_layer": 6}, "mine on micro_gsm8k: teacher layer 6 does not exist: .*/teacher has layers 1..5$"),
        # The other teacher has fewer layers.
        ({"teacher_layer": 4}, "mine on micro_gsm8k: teacher layer 4 does not exist: .*/coder has layers 1..3$"),
        ({"layer_map": {7: 1}}, "mine on micro_gsm8k: student layer 7 does not exist"),
        ({"layer_map": {1: 8}}, "mine on micro_gsm8k: teacher layer 8 does not exist"),
        ({"train_size": 13}, "mine on micro_gsm8k: there are 12 training rows, fewer than its train_size of 13: ask"),
    ],
)
def test_what_a_variant_asks_for_must_be_there(tmp_path, settings, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        check(write_profile(tmp_path, variants={"mine": {"all": settings}}))


def test_what_is_there_passes(tmp_path):
    settings = {"student_layer": 4, "teacher_layer": 3, "train_size": 12}
    check(write_profile(tmp_path, variants={"mine": {"all": settings}}))
    other = {"tasks": ["micro_mmlu"], "all": {"teacher_layer": 5}}  # for which there is one teacher
    check(write_profile(tmp_path, tasks={"micro_gsm8k": {}, "micro_mmlu": {}}, variants={"mine": other}))


def test_settings_of_all_entries_and_of_tasks_and_grids_count_too(tmp_path):
    with pytest.raises(ValueError, match="semalign on micro_gsm8k: student layer 5 does not exist"):
        check(write_profile(tmp_path, transfer={**FAST, "student_layer": 5}, variants={}))
    with pytest.raises(ValueError, match="task micro_gsm8k: there are 5 training rows, fewer than its train_size of 6"):
        check(write_profile(tmp_path), rows=5)
    with pytest.raises(ValueError, match=r"selection of sft on micro_gsm8k: there are 12 training rows, .* of 40"):
        check(write_profile(tmp_path, selection={"sft": {"train_size": [4, 40]}}))
    with pytest.raises(ValueError, match="selection of semalign on micro_gsm8k: student layer 9 does not exist"):
        check(write_profile(tmp_path, selection={"semalign": {"student_layer": [1, 9]}}))


def test_what_is_not_known_passes(tmp_path):
    profile = write_profile(tmp_path, variants={"mine": {"all": {"student_layer": 99, "train_size": 10**6}}})
    check_asked(profile, profile.tasks, lambda _: None, lambda _: None)
    check_asked(profile, [], LAYERS.get, lambda _: 1)


def test_layers_of_both_sides():
    named = {"student_layer": None, "student_layers": (2, 3), "teacher_layer": 4, "layer_map": {3: 5}}
    assert layers_named(named) == ([2, 3, 3], [4, 5])
    assert layers_named({"learning_rate": 1e-3}) == ([], [])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"num_hidden_layers": 7}, 7),
        ({"n_layer": 6}, 6),
        ({"text_config": {"num_hidden_layers": 5}, "num_hidden_layers": 40}, 5),
        ({}, None),
    ],
)
def test_layers_are_read_from_the_configuration(tmp_path, config, expected):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert layers_on_disk(str(tmp_path)) == expected
    (tmp_path / "config.json").write_text("{")
    assert layers_on_disk(str(tmp_path)) is None and layers_on_disk("no-such-model") is None


@pytest.mark.parametrize("name", profile_names())
def test_packaged_profiles_ask_for_what_is_there(name):
    profile = load_profile(name)
    check_asked(profile, profile.tasks, layers_on_disk, rows_on_disk(profile))


def test_a_run_tells_it_before_its_first_record(profile, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "run_cell", lambda *_: pytest.fail("a cell ran"))
    wrong = write_profile(tmp_path, variants={"mine": {"all": {"student_layer": 99}}})
    with pytest.raises(
        ValueError, match=r"mine on micro_gsm8k: student layer 99 does not exist: .* has layers 1\.\.\d"
    ):
        runs.run(wrong, tmp_path / "results")
    check_runnable(wrong, tmp_path / "results", {"micro_gsm8k": False})  # nothing is trained


@pytest.mark.parametrize("verb", ["compare", "select"])
def test_a_dry_run_tells_it(profile, tmp_path, verb):
    given = [verb, "--profile", tmp_path / "tiny.yaml", "--dry-run"]
    grid = {"sft": {"learning_rate": [1e-3]}}
    write_profile(tmp_path, selection=grid, tasks={"micro_gsm8k": {"train_size": 10**6}})
    with pytest.raises(ValueError, match=r"task micro_gsm8k: there are \d+ training rows, fewer than its train_size"):
        invoke(*given)
    write_profile(tmp_path, selection=grid, variants={"mine": {"all": {"student_layer": 99}}})
    with pytest.raises(ValueError, match="mine on micro_gsm8k: student layer 99 does not exist"):
        invoke(*given)
    write_profile(tmp_path, selection=grid)
    assert "missing" in invoke(*given)


@pytest.mark.slow
def test_it_loads_no_library_of_models():
    script = (
        "import sys; from semalign.experiments.asked_for import check_asked, layers_on_disk, rows_on_disk; "
        "from semalign.experiments.profiles import load_profile; "
        "p = load_profile('micro'); check_asked(p, p.tasks, layers_on_disk, rows_on_disk(p)); "
        "print({'torch', 'transformers', 'lm_eval'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout == "set()\n", told.stderr
