"""Tables of published weights, from records made by hand."""

import json

import pandas as pd

from semalign.book.markdown import SPACE, Interval, numbers
from semalign.book.tables import published

RECORD = {
    "value": 12.34, "interval": [10.0, 15.0], "metric": "pass@1,strict", "n": 164, "seconds": 119.0,
    "details": {
        "scores": {"pass@1,strict": 12.34, "pass@1,flexible": 15.0}, "evaluation_seconds": 61.0,
        "teacher_layers": [[1, 1.0]], "student_layer": 2,
        "before": {"response_nll": 2.0, "layer_cosine": 0.1}, "after": {"response_nll": 1.5, "layer_cosine": 0.25},
    },
}  # fmt: skip


def test_scores_of_each_format_stand_with_other_metrics_and_the_model_card():
    nothing = dict.fromkeys(published.BENCHMARKS)
    card = pd.DataFrame({"score": [30.5], "how": ["5-shot"]}, index=["gsm8k"])
    table = published.benchmark_table({"Tulu's": nothing, "its own": {**nothing, "mbpp": RECORD}}, card)
    lines = table.set_index(["benchmark", "format"])
    assert lines.loc[("MBPP", "its own")].tolist() == [
        Interval(12.34, 10.0, 15.0), "pass@1, strict", "164", "pass@1, flexible 15.0", "1", "none",
    ]  # fmt: skip
    assert lines.loc[("MBPP", "Tulu's"), "score"] == "not run"
    assert lines.loc[("GSM8K", "its own"), ["score", "model card"]].tolist() == ["not run", "30.5 (5-shot)"]
    assert list(table["benchmark"].iloc[:4]) == ["MMLU", "MMLU", "GSM8K", "GSM8K"]


def test_formats_are_compared_item_by_item_where_both_were_run():
    def scored(correct):
        return {"details": {"correct": correct}}

    nothing = dict.fromkeys(published.BENCHMARKS)
    first = {**nothing, "gsm8k": scored("0000"), "humaneval": scored([0.5, 0.0]), "mmlu": scored("1")}
    second = {**nothing, "gsm8k": scored("1111"), "humaneval": scored([0.5, 0.0]), "mbpp": scored("1")}
    text = published.format_differences({"Tulu's": first, "its own": second})
    assert text == "GSM8K +100.0 [+100.0, +100.0], HumanEval, 20 samples +0.0 [+0.0, +0.0]"
    assert published.format_differences({"Tulu's": nothing, "its own": nothing}) == "not run"


def test_transfers_show_what_changed_on_held_out_rows():
    table = published.transfer_table({("gsm8k", "own"): RECORD, ("mbpp", "other"): None})
    shown = ["GSM8K", "own", "1 → 2", "164", "2.000 → 1.500", "0.100 → 0.250", "2"]
    assert [str(cell).replace(SPACE, " ") for cell in table.iloc[0]] == shown
    data = numbers(table)
    assert data[["teacher layer", "student layer"]].iloc[0].tolist() == [1, 2]
    assert data[["response NLL, before", "response NLL, after"]].iloc[0].tolist() == [2.0, 1.5]
    assert table.iloc[1][["data", "response NLL", "layers"]].tolist() == ["MBPP", "not run", ""]


def test_a_measurement_is_told_before_and_after_each_transfer():
    records = {("gsm8k", "own"): RECORD, ("mbpp", "other"): None}
    assert published.change_text(records, "response_nll") == "GSM8K, own, 2.00 → 1.50"
    assert published.change_text({("mbpp", "other"): None}, "response_nll") == "not run"


def test_a_record_that_is_not_there_is_none(tmp_path):
    assert published.record_of(tmp_path / "none.json") is None


def test_engines_are_compared_in_words():
    speeds = {"vllm": {"tokens_per_second": 50.3}, "transformers": {"tokens_per_second": 5.9}}
    run = {"backends": speeds, "items": 16, "threads": 2, "batch_size": 8, "equal_texts": 15}
    text = published.engine_text(json.loads(json.dumps(run)))
    assert "vLLM wrote 50.3 tokens a second and transformers 5.9; 15 of the 16 texts were equal" in text
