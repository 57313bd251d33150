"""The comparisons at the paper's sizes that stand beside a profile."""

import pytest
from helpers.claims import put

from semalign.book import paper_sized as module
from semalign.book.paper_sized import paper_sized


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


def test_each_student_has_a_comparison_with_the_papers_settings_and_literal_entries(root):
    independent, sibling = paper_sized("micro")
    assert [each.profile.name for each in (independent, sibling)] == ["micro-fair", "micro-sibling"]
    assert independent.entries[:2] == ["semalign", "permuted-literal"] and "sft" not in independent.entries
    assert sibling.command == "semalign compare --profile micro-sibling"
    assert sibling.paths == [] and sibling.records.empty and sibling.before == {}
    assert paper_sized("llama2") == []


def test_only_current_records_count_and_students_are_measured_where_something_trained(root, monkeypatch):
    put(root, "micro-fair/none--micro-student--micro_mmlu.json", method="none", task="micro_mmlu")
    put(root, "micro-fair/a.json", task="micro_gsm8k", teacher="micro-teacher", student="micro-student")
    put(root, "micro-fair/stale.json", task="micro_mbpp", teacher="micro-teacher", student="micro-student")
    kept = {"a.json", "none--micro-student--micro_mmlu.json"}
    monkeypatch.setattr(module, "current", lambda profile, folder, entries: kept)
    monkeypatch.setattr(module, "student_rows", lambda profile, task: [0.5])
    (fair, _) = paper_sized("micro")
    assert [path.name for path in fair.paths] == sorted(kept) and set(fair.records["task"]) == {
        "micro_mmlu",
        "micro_gsm8k",
    }
    assert fair.before == {"micro_gsm8k": [0.5]}
