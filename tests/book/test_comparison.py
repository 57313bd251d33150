"""The comparisons that stand on the pages of a profile."""

import pytest
from helpers.claims import put

from semalign.book import comparison as module
from semalign.book.comparison import paper_sized, tuned
from semalign.experiments.cells import cells
from semalign.experiments.profiles import load_profile


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


def names(comparisons):
    return [each.profile.name for each in comparisons]


def test_a_page_shows_its_own_profile_a_second_student_and_chosen_settings(root):
    micro = load_profile("micro")
    own, sibling = paper_sized(micro)
    assert names([own, sibling]) == ["micro", "micro-sibling"]
    assert names(tuned(micro)) == ["micro-tuned", "micro-sibling-tuned"]
    assert own.entries[:2] == ["semalign", "permuted-atoms"] and "sft" not in own.entries
    assert sibling.command == "semalign compare --profile micro-sibling"
    assert sibling.paths == [] and sibling.records.empty and sibling.scores.empty and sibling.before == {}
    llama = load_profile("llama2")
    assert names(paper_sized(llama)) == ["llama2"] and tuned(llama) == []


def test_only_current_records_count_and_students_are_measured_where_something_trained(root, monkeypatch):
    put(root, "micro/none--micro-student--micro_mmlu.json", method="none", task="micro_mmlu", value=40.0)
    put(root, "micro/a.json", task="micro_gsm8k", teacher="micro-teacher", student="micro-student")
    put(root, "micro/stale.json", task="micro_mbpp", teacher="micro-teacher", student="micro-student")
    kept = {"a.json", "none--micro-student--micro_mmlu.json"}
    monkeypatch.setattr(module, "current", lambda profile, folder: kept)
    monkeypatch.setattr(module, "student_rows", lambda profile, task: [0.5])
    (own, _) = paper_sized(load_profile("micro"))
    assert [path.name for path in own.paths] == sorted(kept)
    assert set(own.records["task"]) == set(own.scores["task"]) == {"micro_mmlu", "micro_gsm8k"}
    assert own.scores[own.scores["method"] == "none"]["value"].tolist() == [40.0]
    assert own.before == {"micro_gsm8k": [0.5]}


def test_it_says_what_is_lacking_and_nothing_if_all_records_are_current(root, monkeypatch):
    (own, _) = paper_sized(load_profile("micro"))
    every = [cell.file_name for cell in cells(own.profile)]
    assert own.lacking == f"{len(every)} of {len(every)} records are missing or stale: semalign compare --profile micro"
    own.folder.mkdir(parents=True)
    monkeypatch.setattr(module, "current", lambda profile, folder: set(every))
    assert paper_sized(own.profile)[0].lacking == ""
