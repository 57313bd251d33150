"""Profiles that are based on others: what they say on top, what they leave out, and which files they are read from."""

import pytest
import yaml

from semalign.experiments.profile_content import merge, profile_content, profile_files
from semalign.experiments.profile_paths import FOLDER
from semalign.experiments.profiles import load_profile

BASE = {
    "teacher": "t",
    "student": "s",
    "seeds": [0, 1],
    "tasks": {"gsm8k": {"epochs": 2, "train_size": 10}, "mbpp": {"epochs": 3}},
    "transfer": {"rank": 8, "student_layer": 4},
    "variants": {"sft": {"all": {"learning_rate": 1e-3}}, "logit-kl": {}},
}


def _write(folder, name, content):
    (folder / name).write_text(yaml.safe_dump(content))
    return folder / name


def test_merge_goes_into_tables():
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": 4}) == {"a": {"b": 9, "c": 2}, "d": 4}


def test_a_profile_says_only_what_differs_from_the_one_it_is_based_on(tmp_path):
    (tmp_path / "below").mkdir()
    _write(tmp_path, "first.yaml", BASE)
    second = {"based_on": "../first.yaml", "student": "z", "seeds": [7], "tasks": {"gsm8k": {"epochs": 5}}}
    third = {"based_on": "second.yaml", "teacher": "y", "transfer": {"student_layer": None}}
    _write(tmp_path / "below", "second.yaml", second)
    profile = load_profile(_write(tmp_path / "below", "third.yaml", third))
    assert (profile.name, profile.teacher, profile.student, profile.seeds) == ("third", "y", "z", [7])
    assert set(profile.tasks) == {"gsm8k", "mbpp"} and set(profile.variants) == {"sft", "logit-kl"}
    assert profile.settings_for("gsm8k") == {"rank": 8, "student_layer": None, "epochs": 5}
    assert profile.tasks["gsm8k"].train_size == 10 and profile.settings_for("mbpp", "sft")["learning_rate"] == 1e-3


def test_null_leaves_a_task_or_an_entry_out(tmp_path):
    _write(tmp_path, "first.yaml", BASE)
    change = {"based_on": "first.yaml", "tasks": {"mbpp": None}, "variants": {"sft": None}}
    profile = load_profile(_write(tmp_path, "second.yaml", change))
    assert list(profile.tasks) == ["gsm8k"] and list(profile.variants) == ["logit-kl"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": {"sft": None}}, r"a\.yaml: variants\.sft: it is empty: write `sft: \{\}`$"),
        ({"tasks": {"gsm8k": None}}, r"a\.yaml: tasks\.gsm8k: it is empty: write `gsm8k: \{\}`$"),
        ({"teachers": {"t2": None}}, r"a\.yaml: teachers\.t2: it is empty: name the tasks that it is for$"),
        ({"selection": {"sft": None}}, r"a\.yaml: selection\.sft: it is empty: give it the values of each setting"),
        (
            {"based_on": "base.yaml", "variants": {"logitkl": None}},
            r"variants\.logitkl: it is empty, and nothing that the profile is based on has it: write `logitkl: \{\}`, "
            r"did you mean 'logit-kl'\?$",
        ),
    ],
)
def test_null_leaves_out_only_what_is_there(tmp_path, change, message):
    _write(tmp_path, "base.yaml", BASE)
    with pytest.raises(ValueError, match=message) as raised:
        load_profile(_write(tmp_path, "a.yaml", {"teacher": "t", "student": "s", **change}))
    assert "\n" not in str(raised.value)


def test_what_one_profile_leaves_out_another_on_top_of_it_can_have(tmp_path):
    _write(tmp_path, "first.yaml", BASE)
    _write(tmp_path, "second.yaml", {"based_on": "first.yaml", "variants": {"sft": None}})
    third = {"based_on": "second.yaml", "variants": {"sft": {}, "logit-kl": None}}
    profile = load_profile(_write(tmp_path, "third.yaml", third))
    assert list(profile.variants) == ["sft"] and profile.changes("gsm8k", "sft") == {}


def test_a_packaged_profile_with_other_models(tmp_path):
    mine = load_profile(_write(tmp_path, "mine.yaml", {"based_on": "ablations", "teacher": "t", "student": "s"}))
    packaged = load_profile("ablations")
    assert (mine.teacher, mine.student) == ("t", "s")
    differing = {"name", "based_on", "teacher", "student"}
    assert mine.model_dump(exclude=differing) == packaged.model_dump(exclude=differing)
    assert profile_files(tmp_path / "mine.yaml") == [
        FOLDER / "defaults.yaml",
        FOLDER / "ablations.yaml",
        tmp_path / "mine.yaml",
    ]


def test_the_other_student_has_the_changes_of_the_first():
    for ours, theirs in (("student-ablations", "ablations"), ("sibling-changes", "micro-changes")):
        first, second = load_profile(theirs), load_profile(ours)
        assert second.variants == first.variants and second.tasks == first.tasks and second.student != first.student


@pytest.mark.parametrize(
    ("contents", "error", "message"),
    [
        ({"a.yaml": {"based_on": "a.yaml"}}, ValueError, r"a\.yaml is based on a, which is based on it"),
        (
            {"a.yaml": {"based_on": "b.yaml"}, "b.yaml": {"based_on": "a.yaml"}},
            ValueError,
            r"b\.yaml is based on a, which is based on it",
        ),
        ({"a.yaml": {"based_on": "./x/../a.yaml"}, "x": None}, ValueError, r"is based on a, which is based on it"),
        ({"a.yaml": {"based_on": ["b"]}}, ValueError, "based_on: give the name of a packaged profile or the path"),
        ({"a.yaml": {"based_on": "micor"}}, FileNotFoundError, "no profile 'micor'.*did you mean 'micro'"),
        ({"a.yaml": {"based_on": "b.yaml"}}, FileNotFoundError, r"no profile '.*b\.yaml': give a YAML file"),
    ],
)
def test_a_wrong_base_is_an_error_of_one_line(tmp_path, contents, error, message):
    for name, content in contents.items():
        _write(tmp_path, name, content) if content else (tmp_path / name).mkdir()
    with pytest.raises(error, match=message) as raised:
        profile_content(tmp_path / "a.yaml")
    assert "\n" not in str(raised.value)
