"""The matrix of side effects on records made by hand."""

import pytest
from helpers.losses import write_losses

from semalign.book.tables.side_effects import SCORE, mean_rises, mean_table, side_effect_table, side_effects


@pytest.fixture
def lines(tmp_path):
    for task, moved, rises in (
        ("micro_gsm8k", 0.25, {"micro_mmlu": [0.5, 0.5], "micro_gsm8k": [-1.0, -2.0]}),
        ("micro_mmlu", 0.125, {"micro_mmlu": [-0.5, 0.5], "micro_gsm8k": [0.0, 0.25]}),
    ):
        write_losses(tmp_path, "sft", 0, [1.0], task=task, details={"rises": rises, "weight_change": moved})
    return side_effects(tmp_path)


def test_a_line_has_a_column_for_each_task_that_was_measured(lines):
    table = side_effect_table(lines)
    assert table["trained on"].tolist() == ["MMLU", "GSM8K"]
    own, other = table.iloc[1]["GSM8K"], table.iloc[1]["MMLU"]
    assert (own.value, own.bold) == (-1.5, True) and (other.value, other.low, other.bold) == (0.5, 0.5, True)
    assert not table.iloc[0]["MMLU"].bold  # from -0.5 to 0.5


def test_the_mean_over_the_other_tasks_leaves_the_own_one_out(lines):
    found = mean_rises(lines).loc["sft"]
    assert found["own task"] == pytest.approx((-1.5 + 0.0) / 2)
    assert found["other tasks"] == pytest.approx((0.5 + 0.125) / 2)
    assert found["trained"] == 2
    assert found["weights"] == (0.25 + 0.125) / 2


def test_methods_have_the_papers_names_and_order_and_then_the_others(tmp_path):
    for method in ("semalign", "cross-entropy", "laten", "seeking"):
        rises = {"micro_mmlu": [0.5, 0.5], "micro_gsm8k": [0.0, 0.0]}
        write_losses(tmp_path, method, 0, [1.0], task="micro_mmlu", details={"rises": rises, "weight_change": 0.5})
    lines = side_effects(tmp_path)
    assert side_effect_table(lines)["method"].tolist() == ["Seeking", "LaTen", "SemAlign", "cross-entropy"]
    assert mean_table(lines, lines)["method"].tolist() == ["Seeking", "LaTen", "SemAlign", "cross-entropy"]


def test_without_records_there_is_no_line(tmp_path):
    assert side_effects(tmp_path / "nowhere").empty


def test_scores_are_in_points_and_records_without_them_are_left_out(tmp_path):
    gains = {"micro_mmlu": [1, 1, -1, 0], "micro_gsm8k": [-1, 0, 0, 0]}
    write_losses(
        tmp_path,
        "sft",
        0,
        [1.0],
        task="micro_mmlu",
        details={"rises": {"micro_mmlu": [0.5]}, "gains": gains, "weight_change": 0.5},
    )
    write_losses(tmp_path, "seeking", 0, [1.0], task="micro_mmlu", details={"rises": {"micro_mmlu": [0.5]}})
    lines = side_effects(tmp_path, SCORE)
    assert lines[["method", "measured", "value"]].to_numpy().tolist() == [
        ["sft", "micro_mmlu", 25.0],
        ["sft", "micro_gsm8k", -25.0],
    ]
    assert str(side_effect_table(lines, SCORE).iloc[0]["GSM8K"]).startswith("-25.0")
    assert side_effects(tmp_path / "nowhere", SCORE).empty


def test_means_of_loss_and_score_stand_side_by_side(lines, tmp_path):
    scores = lines.assign(value=[10.0, -20.0, 30.0, -5.0])
    (line,) = mean_table(lines, scores).to_dict("records")
    assert line["weights, %"] == "18.75"
    assert line["method"] == "sft" and line["loss, own task"].value == pytest.approx(-0.75)
    own = scores["trained"] == scores["measured"]
    assert line["score, own task"].value == scores[own]["value"].mean()
    assert line["score, other tasks"].value == scores[~own]["value"].mean()
