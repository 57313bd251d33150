"""The typed tables against the arithmetic that the paper's text does with them (Section 5.2)."""

import pandas as pd
import pytest

from semalign.paths import data_dir

TASKS = ["MMLU", "GSM8K", "HumanEval", "MBPP"]


def table(number: int) -> pd.DataFrame:
    return pd.read_csv(data_dir() / "paper" / f"table{number}.csv")


def test_gaps_to_the_teacher_are_those_of_the_text() -> None:
    scores = table(1).set_index("model")[TASKS]
    gaps = scores.loc["Llama2-13B-Chat"] - scores
    assert gaps.loc["SemAlign"].tolist() == pytest.approx([2.60, 1.34, 1.41, 0.42])
    assert gaps.loc["SemAlign"].mean() == pytest.approx(1.44, abs=0.005)
    assert gaps.loc[["Seeking", "LaTen"]].abs().mean(axis=1).tolist() == pytest.approx([3.92, 3.43], abs=0.01)
    assert -gaps.loc["Seeking", ["GSM8K", "MBPP"]].to_numpy() == pytest.approx([7.68, 1.40])


def test_margins_over_the_baselines_are_those_of_the_text() -> None:
    scores = table(2).set_index(["teacher", "model"])

    def margin(teacher: str, baseline: str) -> list[float]:
        return (scores.loc[(teacher, "SemAlign")] - scores.loc[(teacher, baseline)]).tolist()

    assert margin("CodeLlama-13B-Python", "Seeking") == pytest.approx([4.07, 0.95])
    assert margin("CodeLlama-13B-Python", "LaTen") == pytest.approx([6.10, 4.55])
    assert margin("WizardCoder-13B-Python", "Seeking") == pytest.approx([4.42, 1.38])
    assert margin("WizardCoder-13B-Python", "LaTen") == pytest.approx([5.44, 2.58])
    assert margin("Llama2-13B-Chat", "Seeking") == pytest.approx([1.90, -1.82])
    assert margin("Llama2-13B-Chat", "LaTen") == pytest.approx([2.71, 0.58])


def test_tables_1_and_2_agree_where_they_overlap() -> None:
    first, second = table(1).set_index("model"), table(2).set_index("teacher").loc["Llama2-13B-Chat"].set_index("model")
    shared = second.index
    assert first.loc[shared, ["HumanEval", "MBPP"]].equals(second[["HumanEval", "MBPP"]])


def test_settings_cover_the_four_benchmarks() -> None:
    assert table(4)["task"].tolist() == table(5)["task"].tolist() == TASKS
    assert table(4)["align_size"].tolist() == (16 * table(4)["steps"]).tolist()  # sample size P = 16
    assert table(3)["layers"].tolist() == table(3)["heads"].tolist() == [32, 40, 40, 40]
