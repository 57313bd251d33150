"""Tables of the micro family: sizes from the files themselves, answers from records made by hand."""

import pytest
from safetensors.torch import load_file

from semalign.book.markdown import Interval
from semalign.book.tables.micro_family import answers_text, benchmark_table, changed_item, model_table
from semalign.paths import benchmarks_dir, models_dir


def scored(answer, correct, prompt="2 + 2?"):
    details = {"examples": [{"prompt": prompt, "answer": answer, "correct": correct}]}
    return {"value": 50.0, "interval": (40.0, 60.0), "details": details}


def test_sizes_are_those_of_the_files_and_scores_those_of_the_records():
    folders = [models_dir() / name for name in ("micro-student", "micro-coder")]
    table = model_table(folders, {("micro-student", "micro_mmlu"): scored(0, True)}, ["micro_mmlu"])
    counted = sum(tensor.numel() for tensor in load_file(folders[0] / "model.safetensors").values())
    student, coder = table.to_dict("records")
    assert student["parameters"] == f"{counted / 1e6:.1f} M" and student["tokens of its own training"] == "8.4 M"
    assert (student["layers"], student["width"], student["made from"]) == (8, 96, "scratch")
    assert student["MMLU"] == Interval(50, 40, 60) and coder["MMLU"] == "not run"
    assert coder["made from"] == "micro-teacher"


def test_items_are_counted():
    table = benchmark_table(benchmarks_dir() / "semalign").set_index("benchmark")
    assert table.index.tolist() == ["micro-MMLU", "micro-GSM8K", "micro-HumanEval", "micro-MBPP"]
    assert table.loc["micro-MBPP"].to_dict() == {"train": 1000, "validation": 500, "test": 500}


def test_answers_stand_below_the_prompt_that_they_are_to():
    answered = {"student": scored(" 5\n", False), "teacher": scored(2, True), "after": None, "old": OLD}
    text = answers_text(answered, [" 4"])
    assert text.split("\n\n") == [
        "````text\n2 + 2?\n````",
        "**Right**:", "````text\n 4\n````",
        "**student**, wrong:", "````text\n 5\n````",
        "**teacher**, right:", "````text\nC\n````",
        "**after**: *not run*", "**old**: *not run*",
    ]  # fmt: skip


def test_answers_to_different_items_are_refused():
    with pytest.raises(ValueError, match="2 different items"):
        answers_text({"a": scored(0, True), "b": scored(0, True, "3 + 3?")}, [" 4"])


def test_the_first_item_with_other_answers_is_found():
    def of(*answers):
        return {"details": {"examples": [scored(answer, True)["details"]["examples"][0] for answer in answers]}}

    assert changed_item([of(1, 2, 3), None, of(1, 0, 0)]) == 1
    assert (
        changed_item([of(1, 2), of(1, 2)]) is None and changed_item([of(1), OLD]) is None and changed_item([]) is None
    )


def test_without_records_there_is_no_prompt():
    assert answers_text({"a": None}, [" 4"]).startswith("*not run*")


OLD = {"value": 50.0, "interval": (40.0, 60.0), "details": {}}  # from before records kept answers
