"""Tables of all methods, from scores and differences made by hand."""

import pandas as pd
import pytest
from helpers.profiles import with_own_task

from semalign.book.markdown import Interval
from semalign.book.tables import controls
from semalign.experiments.cells import entries_of
from semalign.experiments.profiles import load_profile
from semalign.methods.registry import methods


@pytest.fixture(scope="module")
def profile():
    return load_profile("micro-tuned")


def scores(*lines):
    columns = ["method", "teacher", "student", "task", "value", "low", "high", "seeds", "idle"]
    return pd.DataFrame(lines, columns=columns)


def test_every_method_says_in_one_line_what_it_is():
    found = controls.descriptions()
    assert list(found) == list(methods())
    assert all(len(text) > 20 and "``" not in text and ":mod:" not in text for text in found.values())
    assert found["frontier"].startswith("The paper's second version")


def test_methods_and_variants_are_listed_with_what_they_change(profile):
    table = controls.method_table(profile).set_index("name")
    names = [name.partition(" (")[2].strip("`)") or name for name in table.index]
    assert names == entries_of(profile, ["all"])
    assert table.loc["SemAlign (`semalign`)", "kind"] == "method" and table.loc["sft", "kind"] == methods()["sft"].kind
    assert table.loc["semalign-ce", "kind"] == "variant of semalign"
    assert table.loc["semalign-ce", "what it is"].endswith("Always: output_loss cross_entropy, layer_weight 0.3.")
    assert table["after"].str.match(r"{cite}`\w+`").all()


def test_columns_are_the_tasks_of_each_teacher(profile):
    assert [column.name for column in controls.columns(profile, ["micro-teacher"])] == [
        "MMLU", "GSM8K", "HumanEval", "MBPP",
    ]  # fmt: skip
    names = [column.name for column in controls.columns(profile, ["micro-coder", "micro-wizard"])]
    assert names == ["HumanEval, micro-coder", "MBPP, micro-coder", "HumanEval, micro-wizard", "MBPP, micro-wizard"]


def test_only_entries_that_run_from_a_teacher_are_in_its_table(profile):
    found = controls.entries_from(profile, ["micro-teacher"])
    assert found[:3] == ["seeking", "laten", "semalign"] and sorted(found) == sorted(entries_of(profile, ["all"]))
    assert found[3:] == [name for name in entries_of(profile, ["all"]) if name not in found[:3]]
    assert set(controls.entries_from(profile, ["micro-coder"])) == set(profile.further_entries)


def test_scores_of_student_teacher_and_entries(profile):
    found = scores(
        ["none", None, "micro-student", "micro_mmlu", 30.0, 26.0, 34.0, 1, 0],
        ["none", None, "micro-teacher", "micro_mmlu", 60.0, 56.0, 64.0, 1, 0],
        ["sft", "micro-teacher", "micro-student", "micro_mmlu", 40.0, 39.0, 41.0, 5, 1],
        ["sft", "micro-teacher", "micro-student", "micro_gsm8k", 50.0, 49.0, 51.0, 3, 0],
    )
    table = controls.control_table(profile, found, ["micro-teacher"]).set_index("name")
    assert table.loc["micro-student (student)"].tolist()[:4] == ["as it is", "–", Interval(30, 26, 34), "not run"]
    assert table.loc["micro-teacher (teacher)", "MMLU"] == Interval(60, 56, 64)
    assert table.loc["sft"].tolist()[1:4] == ["3 to 5", Interval(40, 39, 41), Interval(50, 49, 51)]
    assert {"SemAlign", "Seeking", "LaTen"} < set(table.index)  # as the paper calls them
    assert table.loc["semalign-ce"].tolist()[:3] == ["variant", "–", "not run"]


def test_differences_on_a_task_of_the_users_own_are_found_by_its_name(profile):
    line = {"teacher": "micro-teacher", "task": "arithmetic", "minus": "sft", "difference": 2.0, "low": 1.0}
    lines = pd.DataFrame([{**line, "high": 3.0, "p_holm": 0.5, "single": False}])
    table = controls.difference_table(with_own_task(profile), "semalign", lines, ["micro-teacher"])
    assert table.set_index("minus").loc["sft", "arithmetic"].value == 2.0


def test_differences_are_bold_where_the_corrected_p_is_small(profile):
    columns = ["teacher", "student", "task", "minus", "difference", "low", "high", "p_holm"]
    lines = [
        ["micro-teacher", "micro-student", "micro_mmlu", "none", 1.25, 0.5, 2.0, 0.049],
        ["micro-teacher", "micro-student", "micro_mmlu", "sft", -9.0, -12.0, 1.0, 0.05],
        ["micro-coder", "micro-student", "micro_mbpp", "seeking", 0.0, -1.0, 1.0, 1.0],
    ]
    differences = pd.DataFrame(lines, columns=columns).assign(single=False)
    general, code = controls.difference_tables(profile, "semalign", differences)
    assert [general[:2], code[:2]] == [("", ["micro-teacher"]), ("-code", ["micro-coder", "micro-wizard"])]
    table = general[2].set_index("minus")
    assert table.loc["student as it is", "MMLU"] == Interval(1.25, 0.5, 2, signed=True, bold=True)
    assert table.loc["sft", "MMLU"] == Interval(-9, -12, 1, signed=True)
    assert table.loc["sft", "MBPP"] == "not run" and "SemAlign" not in table.index
    assert code[2].set_index("minus").loc["Seeking", "MBPP, micro-coder"] == Interval(0, -1, 1, signed=True)
    assert [suffix for suffix, *_ in controls.difference_tables(profile, "semalign", differences[:2])] == [""]
    pairs = [("semalign", "sft"), ("semalign-ce", "sft")]
    there, absent = controls.chosen_differences(profile, {"semalign": differences}, pairs).to_dict("records")
    assert (there["entry"], there["minus"], there["MMLU"]) == ("SemAlign", "sft", table.loc["sft", "MMLU"])
    assert absent["MMLU"] == "not run"
