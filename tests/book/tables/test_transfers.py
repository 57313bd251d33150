"""Tables 1 and 2, from scores made by hand."""

import pandas as pd
import pytest
from helpers.profiles import with_own_task

from semalign.book.markdown import SPACE, Interval, numbers
from semalign.book.tables.paper import Key
from semalign.book.tables.transfers import (
    NOT_RUN,
    Entry,
    by_key,
    gap_table,
    lead_table,
    record_counts,
    score_cell,
    score_table,
    table_entries,
    transfer_entries,
)
from semalign.experiments.profiles import load_profile

VARIANTS = {"tuned": {"all": {"epochs": 1}}, "ridge": {"all": {"epochs": 1}}, "laten": {"all": {"steps": 1}}}
TASKS = ["MMLU", "GSM8K", "HumanEval", "MBPP"]


@pytest.fixture
def profile():
    made = load_profile("micro", variants=VARIANTS)  # which adds them to the profile's own
    return made.model_copy(update={"variants": {name: made.variants[name] for name in VARIANTS}})


MEASURED = ["value", "low", "high", "seeds", "idle"]


def lines(columns, *values):
    return pd.DataFrame(values, columns=["method", "teacher", "student", "task", *columns])


def by_model(table):
    return table.set_index(table["model"].map(str)).drop(columns="model")


def test_entries_are_those_of_the_paper_and_the_variants_of_its_method(profile):
    assert transfer_entries(profile) == ["seeking", "laten", "semalign", "tuned"]
    labels = [entry.label for entry in table_entries(profile, ["micro-teacher", "micro-coder"])]
    assert labels[:3] == ["micro-student (student)", "micro-teacher (teacher)", "Seeking"]
    assert labels[6:] == [
        "micro-coder (teacher)", "Seeking", "LaTen", "SemAlign",
    ]  # fmt: skip
    assert table_entries(profile, ["micro-teacher"])[-1] == ("tuned", "tuned", "micro-teacher", "micro-student")


def test_a_variant_with_another_map_is_none_of_them():
    entries = transfer_entries(load_profile("micro-tuned"))
    assert entries == ["seeking", "laten", "semalign", "semalign-tuned", "semalign-ce"]  # not permuted-procrustes


def test_scores_stand_next_to_the_papers_and_what_is_not_there_is_not_run(profile):
    scores = lines(
        MEASURED,
        ["none", None, "micro-student", "micro_mmlu", 30.0, 26.0, 34.0, 1, 0],
        ["tuned", "micro-teacher", "micro-student", "micro_mmlu", 31.24, 31.24, 31.24, 5, 4],
        ["laten", "micro-teacher", "micro-student", "micro_mmlu", 30.0, 30.0, 30.0, 5, 5],
    )
    table = by_model(score_table(profile, scores, table_entries(profile, ["micro-teacher"]), ["MMLU", "MBPP"]))
    assert table.columns.tolist() == ["MMLU, paper", "MMLU, here", "MBPP, paper", "MBPP, here"]
    assert table.loc["micro-student (student)"].tolist() == [
        Interval(44.2, decimals=2), Interval(30, 26, 34), Interval(17.8, decimals=2), NOT_RUN,
    ]  # fmt: skip
    assert table.loc["tuned"].tolist() == ["–", Interval(31.24, 31.24, 31.24), "–", NOT_RUN]
    assert table.loc["SemAlign", "MMLU, here"] == NOT_RUN
    assert table.loc["LaTen", "MMLU, here"] == Interval(30, 30, 30, note="\N{NO-BREAK SPACE}‡"), "no run trained"


def test_each_line_of_the_data_names_its_method_and_models(profile):
    scores = lines(MEASURED, ["none", None, "micro-student", "micro_mmlu", 30.0, 26.0, 34.0, 1, 0])
    entries = table_entries(profile, ["micro-teacher", "micro-coder"])
    data = numbers(score_table(profile, scores, entries, ["MMLU"]))
    assert data.iloc[0].tolist()[:2] == ["micro-student (student)", "none"] and pd.isna(data["teacher"][0])
    assert data["MMLU, here"][0] == 30.0 and data["MMLU, here"].isna()[1:].all()
    semalign = data[data["method"] == "semalign"]
    assert semalign["teacher"].tolist() == ["micro-teacher", "micro-coder"] and set(semalign["model"]) == {"SemAlign"}


def test_gaps_of_the_paper_are_those_of_its_text(profile):
    entries = table_entries(profile, ["micro-teacher"])
    gaps = lines(
        ["gap", "low", "high", "share"],
        *(["semalign", "micro-teacher", "micro-student", f"micro_{t.lower()}", gap, -3.0, 5.0, 25.0]
          for t, gap in zip(TASKS, (1.0, -1.0, 2.0, 0.0), strict=True)),
        ["laten", "micro-teacher", "micro-student", "micro_mmlu", 1.0, -3.0, 5.0, float("nan")],
    )  # fmt: skip
    table = by_model(gap_table(profile, gaps, entries, TASKS))
    assert table.index.tolist() == ["Seeking", "LaTen", "SemAlign", "tuned"]
    assert table["mean size, paper"].tolist() == ["3.92", "3.43", "1.44", "–"]
    assert str(table.loc["SemAlign", "MMLU, paper"]) == "2.60 (70%)"
    assert table.loc["SemAlign", "MMLU, here"] == Interval(1, -3, 5, note=" (25%)")
    assert table.loc["LaTen", "MMLU, here"] == Interval(1, -3, 5)
    both = gap_table(profile, gaps, table_entries(profile, ["micro-teacher", "micro-coder"]), TASKS)
    assert [*map(str, both["model"])][::4] == ["Seeking from micro-teacher", "Seeking from micro-coder"]
    assert table["mean size, here"].tolist() == [NOT_RUN, NOT_RUN, "1.0", NOT_RUN]


def test_lines_are_found_by_what_they_are_of():
    frame = lines(MEASURED, ["none", float("nan"), "s", "micro_mmlu", 1.0, 0.0, 2.0, 1, 0])
    (key,) = by_key(frame)
    assert key == Key("none", None, "s", "MMLU") == Entry("any", "none", None, "s").key("MMLU")
    assert score_cell(by_key(frame)[key]) == Interval(1, 0, 2)
    assert score_cell(None) == NOT_RUN


def test_current_records_are_counted_for_each_transfer(profile):
    current = {"semalign--micro-teacher--micro-student--micro_mmlu--0.json", "none--micro-student--micro_mmlu.json"}
    counts = record_counts(profile, current).set_index("entry")
    assert counts.loc["SemAlign"].tolist() == [1, 5 * (1 + 1 + 3 + 3)]
    assert counts["records"].sum() == 1


def test_the_order_on_a_task_of_the_users_own_is_found_by_its_name(profile):
    scores = pd.DataFrame([["sft", "micro-teacher", "micro-student", "arithmetic", 9.0]])
    scores.columns = ["method", "teacher", "student", "task", "value"]
    table = lead_table(with_own_task(profile), scores.replace({"sft": "laten"}))
    assert table[["benchmark", "highest"]].values.tolist() == [["arithmetic", "LaTen"]]


def test_the_leading_method_is_the_one_with_the_highest_mean(profile):
    scores = lines(
        ["value"],
        ["seeking", "micro-teacher", "micro-student", "micro_mmlu", 31.0],
        ["semalign", "micro-teacher", "micro-student", "micro_mmlu", 31.0],
        ["laten", "micro-teacher", "micro-student", "micro_mmlu", 30.0],
        ["sft", "micro-teacher", "micro-student", "micro_mmlu", 99.0],
        ["laten", "micro-teacher", "micro-student", "micro_gsm8k", 5.0],
    )
    table = lead_table(profile, scores).set_index(["benchmark", "teacher"])
    first, second = table.loc[("MMLU", "micro-teacher")], table.loc[("GSM8K", "micro-teacher")]
    assert set(first["highest"].split(", ")) == {"Seeking", "SemAlign"} and first["not run"] == ""
    assert str(first["order"]).endswith(f" > LaTen{SPACE}30.0") and "sft" not in str(first["order"])
    assert [*map(str, second)] == ["LaTen", f"LaTen{SPACE}5.0", "Seeking, SemAlign"]
    assert numbers(table.loc[["MMLU"]])[["Seeking", "LaTen"]].values.tolist() == [[31.0, 30.0]]
    assert len(table) == 1 + 1 + 3 + 3
