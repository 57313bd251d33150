"""Profiles: the paper's numbers, defaults plus override, and no typo that runs the default."""

import json
import os

import pytest
import torch
import yaml
from helpers.data import SUMS, SUMS_TASK

from semalign.experiments.profile_paths import profile_names
from semalign.experiments.profiles import Profile, load_profile, use_profile
from semalign.models.devices import chosen_place
from semalign.models.placement import VARIABLES, Placement, certain_type
from semalign.settings import TransferSettings


def test_packaged_profiles_load():
    names = [
        "ablations",
        "coder-plus",
        "llama2",
        "micro",
        "micro-changes",
        "micro-depth",
        "micro-few",
        "micro-plus",
        "micro-sibling",
    ]
    names += [
        "micro-sibling-depth",
        "micro-sibling-tuned",
        "micro-tuned",
        "sibling-changes",
        "sibling-few",
        "sibling-first",
        "sibling-form",
        "sibling-places",
        "sibling-plus",
        "small",
        "small-first",
        "small-last",
    ]
    names += ["student-ablations"]
    assert profile_names() == names
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        for task in profile.tasks:
            TransferSettings(**profile.settings_for(task))


def test_llama2_holds_the_papers_tables():
    profile = load_profile("llama2")
    assert {task: p.epochs for task, p in profile.tasks.items()} == {"mmlu": 5, "gsm8k": 5, "humaneval": 3, "mbpp": 5}
    assert [p.train_size for p in profile.tasks.values()] == [1000, 1000, 1000, 300]
    assert [p.learning_rate for p in profile.tasks.values()] == [3e-4, 3e-4, 3e-5, 3e-4]
    assert [p.align_size for p in profile.tasks.values()] == [32, 64, 48, 128]
    assert [p.align_steps for p in profile.tasks.values()] == [2, 4, 3, 8]
    settings = TransferSettings(**profile.settings_for("humaneval"))
    assert (settings.rank, settings.batch_size, settings.epochs, settings.learning_rate) == (16, 64, 3, 3e-5)
    assert profile.teachers_for("mbpp")[1:] == list(profile.teachers)
    assert profile.teachers_for("mmlu") == ["meta-llama/Llama-2-13b-chat-hf"]


def test_the_sibling_has_table_5s_sizes_epochs_and_rates():
    paper, sibling = load_profile("llama2"), load_profile("micro-sibling")
    assert [f"micro_{task}" for task in paper.tasks] == list(sibling.tasks)
    for task, settings in paper.tasks.items():
        assert sibling.tasks[f"micro_{task}"] == settings.model_copy(update={"align_learning_rate": None})


def test_a_file_changes_only_what_it_names(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"teacher": "t", "student": "s", "tasks": {"gsm8k": {"epochs": 2}}}))
    profile = load_profile(path, seeds=[7])
    assert (profile.name, profile.seeds, profile.evaluation.batch_size) == ("mine", [7], 64)
    assert profile.settings_for("gsm8k") == {"epochs": 2}


def test_names_of_records_belong_to_one_profile_and_one_task(tmp_path):
    content = {"teacher": "t", "student": "s", "tasks": {"gsm8k": {}}}
    (tmp_path / "micro.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match="micro is a packaged profile, and records go by the name: rename the file"):
        load_profile(tmp_path / "micro.yaml")
    (tmp_path / "micro.yaml").write_text(yaml.safe_dump({**content, "name": "mine"}))
    assert load_profile(tmp_path / "micro.yaml").name == "mine"
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in SUMS))
    task = yaml.safe_dump(SUMS_TASK | {"dataset_kwargs": {"data_files": {"exam": str(tmp_path / "items.jsonl")}}})
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "qa.yaml").write_text(task)
    both = {str(tmp_path / folder / "qa.yaml"): {} for folder in ("a", "b")}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump({**content, "tasks": both}))
    with pytest.raises(ValueError, match="two have the name qa, and records go by the name: rename a file"):
        load_profile(tmp_path / "two.yaml")


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (
            {"teacher": "runs/big/final", "student": "runs/small/final"},
            "both runs/big/final and runs/small/final 'final'",
        ),
        ({"teachers": {"b/checkpoint-500": ["gsm8k"]}}, "both a/checkpoint-500 and b/checkpoint-500 'checkpoint-500'"),
        ({"teachers": {"b/checkpoint-500.gguf": ["gsm8k"]}}, "and b/checkpoint-500.gguf 'checkpoint-500'"),
    ],
)
def test_two_models_that_records_would_name_alike_are_refused_in_one_line(tmp_path, models, message):
    content = {"teacher": "a/checkpoint-500", "student": "s", "tasks": {"gsm8k": {}}, **models}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=message) as error:
        load_profile(tmp_path / "mine.yaml")
    assert "give the path of a copy of one, or of a link to it" in str(error.value) and "\n" not in str(error.value)


def test_a_model_may_teach_itself(tmp_path):
    content = {"teacher": "a/final", "student": "a/final", "tasks": {"gsm8k": {}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    assert load_profile(tmp_path / "mine.yaml").student == "a/final"


def test_a_command_takes_it_by_the_name_or_path_that_was_given(tmp_path, monkeypatch):
    content = yaml.safe_dump({"teacher": "t", "student": "s", "tasks": {"gsm8k": {}}})
    (tmp_path / "my own.yaml").write_text(content)
    monkeypatch.chdir(tmp_path)
    assert load_profile("micro").option == "--profile micro"
    assert load_profile("my own.yaml").model_copy(update={"seeds": [1]}).option == "--profile 'my own.yaml'"
    absolute = load_profile(tmp_path / "my own.yaml")
    assert absolute.option == f"--profile '{tmp_path}/my own.yaml'" and absolute.name == "my own"
    assert Profile.model_validate({"name": "made", **yaml.safe_load(content), "seeds": [0]}).option == "--profile made"


def test_llama2_is_of_the_same_models_with_and_without_a_gpu(monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, "")  # put back at the end of the test
    use_profile("llama2")
    found = []
    for has_gpu in (True, False):
        monkeypatch.setattr("torch.cuda.is_available", lambda has_gpu=has_gpu: has_gpu)
        monkeypatch.setattr("semalign.models.devices.usable", torch.device)
        found.append((chosen_place().dtype, certain_type()))
    assert found == [(None, "None")] * 2  # the checkpoint's own
    assert use_profile("micro").models == Placement() and not os.environ.get("SEMALIGN_DTYPE")


def test_variants_come_on_top(tmp_path):
    path = tmp_path / "mine.yaml"
    variants = {"tuned": {"all": {"output_loss": "cross_entropy"}, "gsm8k": {"learning_rate": 1e-3}}}
    content = {
        "teacher": "t",
        "student": "s",
        "tasks": {"gsm8k": {"learning_rate": 1e-4}, "mmlu": {}},
        "variants": variants,
    }
    path.write_text(yaml.safe_dump(content))
    profile = load_profile(path)
    assert profile.settings_for("gsm8k", "tuned") == {"output_loss": "cross_entropy", "learning_rate": 1e-3}
    assert profile.settings_for("mmlu", "tuned") == {"output_loss": "cross_entropy"}
    assert profile.settings_for("gsm8k") == {"learning_rate": 1e-4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"further_entries": ["semaling"]},
            "no method or variant: semaling, did you mean 'semalign'",
        ),
        ({"models": {"dtype": "half"}}, "models.dtype: Input should be 'float32', 'float16', 'bfloat16' or 'auto'"),
        ({"models": {"devices": "cpu"}}, r"unknown key 'models.devices', did you mean 'device'"),
        ({"sedes": [1]}, "unknown key 'sedes', did you mean 'seeds'"),
        ({"tasks": {"micro_mmlu": {"epoch": 1}}}, r"unknown key 'tasks.micro_mmlu.epoch', did you mean 'epochs'"),
        (
            {"transfer": {"learning_rte": 1}},
            "on micro_mmlu: unknown setting 'learning_rte', did you mean 'learning_rate'",
        ),
        ({"transfer": {"rank": 0}}, "rank: Input should be greater than or equal to 1"),
        ({"seeds": []}, "seeds: "),
    ],
)
def test_mistakes_are_errors(change, message):
    with pytest.raises(ValueError, match=message):
        load_profile("micro", **change)


def test_an_unknown_profile_lists_the_known():
    with pytest.raises(FileNotFoundError, match=", ".join(profile_names())):
        load_profile("macro")


def test_a_row_is_a_method_under_what_the_profile_says(tmp_path):
    path = tmp_path / "mine.yaml"
    tasks = {"gsm8k": {"epochs": 2, "learning_rate": 1e-4, "align_size": 64, "align_steps": 4}}
    transfer = {"rank": 8, "attribution": "signed"}
    variants = {"seeking": {"gsm8k": {"epochs": 9}}, "mine": {"method": "logit-kl", "all": {"rank": 4}}}
    content = {"teacher": "t", "student": "s", "tasks": tasks, "transfer": transfer, "variants": variants}
    path.write_text(yaml.safe_dump(content))
    profile = load_profile(path)
    assert profile.settings_for("gsm8k", "ridge") == {**transfer, "epochs": 2, "learning_rate": 1e-4}
    assert profile.settings_for("gsm8k", "laten") == {"align_size": 64, "steps": 4}
    assert profile.settings_for("gsm8k", "seeking") == {"rank": 8, "learning_rate": 1e-4, "epochs": 9}
    assert profile.changes("gsm8k", "seeking") == {"epochs": 9} and profile.changes("gsm8k", "ridge") == {}
    assert profile.settings_for("gsm8k", "mine") == {**transfer, "rank": 4, "epochs": 2, "learning_rate": 1e-4}
    assert [profile.method_of(row).name for row in ("seeking", "mine", "new")] == ["seeking", "logit-kl", "semalign"]


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({"method": "kl"}, "no method 'kl': choose from semalign"),
        ({"method": "ridge", "all": {"map": "semantic"}}, "map: it is 'ridge' in this method and cannot be changed"),
        ({"micro_gsm9k": {"epochs": 1}}, "variant 'mine' names no task of it: micro_gsm9k"),
        ({"tasks": ["all"]}, "variant 'mine' names no task of it: all"),
        (
            {"method": "laten", "all": {"extract_sise": 3}},
            "unknown setting 'extract_sise', did you mean 'extract_size'",
        ),
    ],
)
def test_mistakes_in_a_variant_are_errors(variant, message):
    with pytest.raises(ValueError, match=message):
        load_profile("micro", variants={"mine": variant})


def test_laten_trains_in_the_parts_that_fit_the_memory():
    settings = load_profile("llama2").settings_for("gsm8k", "laten")
    assert (settings["micro_batch_size"], settings.get("batch_size"), settings.get("rank")) == (1, None, None)
