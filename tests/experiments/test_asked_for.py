"""Layers and rows that are not there are told before anything runs, and by a dry run."""

import json
import subprocess
import sys

import pytest
from helpers.commands import invoke
from helpers.profiles import FAST, write_profile

from semalign.experiments import runs
from semalign.experiments.asked_for import check_asked, layers_named, layers_on_disk, of_cells, of_points, rows_on_disk
from semalign.experiments.cells import cells
from semalign.experiments.grids import points
from semalign.experiments.preflight import check_runnable
from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import load_profile

ALL_ROWS = {"micro_gsm8k": {}}
LAYERS = {"teacher": 5, "student": 4, "coder": 3}


def check(profile, rows=12, names=None, records=None):
    check_asked(of_cells(profile, cells(profile, names, records)), layers, lambda _: rows)


def check_grids(profile, rows=12, names=None):
    check_asked(of_points(profile, points(profile, names)), layers, lambda _: rows)


def layers(model):
    return LAYERS[model.rpartition("/")[2]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"student_layer": 5}, "mine on micro_gsm8k: student layer 5 does not exist: .*/student has layers 1..4$"),
        ({"student_layers": [4, 9]}, "mine on micro_gsm8k: student layer 9 does not exist: .*/student has"),
        ({"teacher_layer": 6}, "mine on micro_gsm8k: teacher layer 6 does not exist: .*/teacher has layers 1..5$"),
        ({"layer_map": {7: 1}}, "mine on micro_gsm8k: student layer 7 does not exist"),
        ({"layer_map": {1: 8}}, "mine on micro_gsm8k: teacher layer 8 does not exist"),
        (
            {"train_size": 13},
            "mine on micro_gsm8k: there are 12 training rows, fewer than its train_size of 13: "
            "lower train_size to 12 or leave it out$",
        ),
    ],
)
def test_what_a_variant_asks_for_must_be_there(tmp_path, settings, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        check(write_profile(tmp_path, tasks=ALL_ROWS, variants={"mine": {"all": settings}}))


def test_what_is_there_passes(tmp_path, caplog):
    settings = {"student_layer": 4, "teacher_layer": 3, "train_size": 12}
    check(write_profile(tmp_path, tasks=ALL_ROWS, variants={"mine": {"all": settings}}))
    other = {"tasks": ["micro_mmlu"], "all": {"teacher_layer": 5}}  # for which there is one teacher
    check(write_profile(tmp_path, tasks={"micro_gsm8k": {}, "micro_mmlu": {}}, variants={"mine": other}))
    assert caplog.text == ""


def test_only_the_cells_that_are_asked_for_count(tmp_path):
    wrong = {"labels": {"all": {"layer_weight": 0.0}}, "mid": {"all": {"teacher_layer": 99}}}
    profile = write_profile(tmp_path, variants=wrong, selection={"sft": {"train_size": [40]}})
    check(profile, names=["labels"])
    check(profile, records=[cells(profile, ["labels"])[-1].file_name.removesuffix(".json")])
    for names in (None, ["labels", "mid"]):
        with pytest.raises(ValueError, match=r"^mid on micro_gsm8k: teacher layer 99 does not exist"):
            check(profile, names=names)
    check(profile, rows=1, records=[cells(profile)[0].file_name.removesuffix(".json")])  # nothing is trained


def test_an_entry_that_can_run_from_one_teacher_only_is_told_of_and_not_refused(tmp_path, caplog):
    profile = write_profile(tmp_path, variants={"mine": {"all": {"teacher_layer": 4}}})
    check(profile)
    assert caplog.text.count("mine on micro_gsm8k: teacher layer 4 does not exist:") == 1  # for both seeds
    assert "/coder has layers 1..3; what does not need it runs" in caplog.text
    of_coder = [
        cell.file_name.removesuffix(".json")
        for cell in cells(profile, ["mine"])
        if cell.teacher and "coder" in cell.teacher
    ]
    with pytest.raises(ValueError, match=r"mine on micro_gsm8k: teacher layer 4 does not exist: .*/coder has"):
        check(profile, records=of_coder)


def test_an_entry_that_can_run_on_one_task_only_is_told_of_and_not_refused(tmp_path, caplog):
    deep = {"micro_gsm8k": {"student_layer": 5}, "micro_mmlu": {"student_layer": 4}}
    check(write_profile(tmp_path, tasks={"micro_gsm8k": {}, "micro_mmlu": {}}, variants={"mine": deep}))
    assert "mine on micro_gsm8k: student layer 5 does not exist" in caplog.text


def test_a_cell_reads_all_rows_of_its_task_and_an_entry_trains_on_some_of_them(tmp_path):
    sizes = {"small": {"all": {"train_size": 4}}, "large": {"all": {"train_size": 10}}}
    beyond = write_profile(tmp_path, tasks={"micro_gsm8k": {"train_size": 5000}}, variants=sizes)
    with pytest.raises(
        ValueError, match=r"^task micro_gsm8k: there are 12 .* of 5000: lower train_size to 12 or leave"
    ):
        check(beyond, names=["small"])
    within = write_profile(tmp_path, variants=sizes)  # the task gives 6 rows to all its entries
    check(within, names=["small"])
    with pytest.raises(ValueError, match=r"large on micro_gsm8k: there are 6 .* of 10: lower train_size to 6"):
        check(within, names=["large"])


def test_settings_of_all_entries_and_of_tasks_count_too(tmp_path):
    with pytest.raises(ValueError, match="semalign on micro_gsm8k: student layer 5 does not exist"):
        check(write_profile(tmp_path, transfer={**FAST, "student_layer": 5}, variants={}))
    with pytest.raises(ValueError, match="task micro_gsm8k: there are 5 training rows, fewer than its train_size of 6"):
        check(write_profile(tmp_path), rows=5)


def test_every_point_of_the_grids_that_are_asked_for_must_be_there(tmp_path):
    grids = {"sft": {"train_size": [4, 40]}, "semalign": {"student_layer": [1, 9]}}
    wrong = {"mid": {"all": {"teacher_layer": 99}}}  # which is no point
    profile = write_profile(tmp_path, tasks=ALL_ROWS, selection=grids, variants=wrong)
    with pytest.raises(ValueError, match=r"selection of sft on micro_gsm8k: there are 12 training rows, .* of 40"):
        check_grids(profile, names=["sft"])
    with pytest.raises(ValueError, match="selection of semalign on micro_gsm8k: student layer 9 does not exist"):
        check_grids(profile, names=["semalign"])
    check_asked(of_points(profile, [p for p in points(profile) if p.number == 0]), layers, lambda _: 12)


def test_what_is_not_known_passes(tmp_path):
    settings = {"student_layer": 99, "train_size": 10**6}
    profile = write_profile(tmp_path, tasks=ALL_ROWS, variants={"mine": {"all": settings}})
    check_asked(of_cells(profile, cells(profile)), lambda _: None, lambda _: None)


def test_settings_that_a_method_refuses_are_left_to_the_run(tmp_path):
    profile = write_profile(tmp_path)
    refused = profile.model_copy(update={"transfer": {"rank": -1}})
    check(refused)


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
        ({"text_config": None, "num_hidden_layers": 3}, 3),
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
    asked = [*of_cells(profile, cells(profile)), *of_points(profile, points(profile))]
    check_asked(asked, layers_on_disk, rows_on_disk(profile))


def test_a_run_tells_it_before_its_first_record(profile, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "run_cell", lambda *_: pytest.fail("a cell ran"))
    wrong = write_profile(tmp_path, variants={"mine": {"all": {"student_layer": 99}}})
    with pytest.raises(
        ValueError, match=r"mine on micro_gsm8k: student layer 99 does not exist: .* has layers 1\.\.\d"
    ):
        runs.run(wrong, tmp_path / "results")
    check_runnable(wrong, tmp_path / "results", {"micro_gsm8k": False})  # nothing is trained


def test_a_run_makes_the_cells_that_can_be_made(profile, tmp_path, monkeypatch, caplog):
    made = []
    monkeypatch.setattr(runs, "make_all", lambda wanted, *_: made.extend(wanted))
    wrong = {"mid": {"all": {"student_layer": 99}}, "entropy": {"all": {"output_loss": "cross_entropy"}}}
    runs.run(write_profile(tmp_path, variants=wrong), tmp_path / "results", ["entropy"])
    assert {cell.method for cell in made} == {"none", "entropy"} and "layer" not in caplog.text


@pytest.mark.parametrize("verb", ["compare", "select"])
def test_a_dry_run_tells_it(profile, tmp_path, verb):
    given = [verb, "--profile", tmp_path / "tiny.yaml", "--dry-run"]
    grid = {"sft": {"learning_rate": [1e-3]}}
    write_profile(tmp_path, selection=grid, tasks={"micro_gsm8k": {"train_size": 10**6}})
    with pytest.raises(ValueError, match=r"task micro_gsm8k: there are \d+ training rows, fewer than its train_size"):
        invoke(*given)
    write_profile(tmp_path, selection=grid)
    assert "missing" in invoke(*given)


def test_a_dry_run_tells_only_what_is_asked_for(profile, tmp_path):
    given = ["--profile", tmp_path / "tiny.yaml", "--dry-run"]
    grids = {"sft": {"learning_rate": [1e-3]}, "semalign": {"student_layer": [99]}}
    write_profile(tmp_path, selection=grids, variants={"mid": {"all": {"student_layer": 99}}})
    with pytest.raises(ValueError, match="mid on micro_gsm8k: student layer 99 does not exist"):
        invoke("compare", *given)
    assert "missing" in invoke("compare", *given, "--methods", "semalign")
    with pytest.raises(ValueError, match="selection of semalign on micro_gsm8k: student layer 99 does not exist"):
        invoke("select", *given)
    assert "missing" in invoke("select", *given, "--methods", "sft")


@pytest.mark.slow
def test_it_loads_no_library_of_models():
    script = (
        "import sys; from semalign.experiments.asked_for import check_asked, layers_on_disk, of_cells, rows_on_disk; "
        "from semalign.experiments.cells import cells; from semalign.experiments.profiles import load_profile; "
        "p = load_profile('micro'); check_asked(of_cells(p, cells(p)), layers_on_disk, rows_on_disk(p)); "
        "print({'torch', 'transformers', 'lm_eval'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout == "set()\n", told.stderr
