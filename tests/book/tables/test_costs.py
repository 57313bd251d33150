"""Tables of costs, from records made by hand."""

import pandas as pd
import pytest

from semalign.book.markdown import Interval
from semalign.book.tables import costs
from semalign.experiments.profiles import load_profile
from semalign.results.records import make_record, write_record

SCORES = pd.DataFrame(
    [["sft", "micro-teacher", "micro-student", "micro_gsm8k", 50.0, 45.0, 55.0]],
    columns=["method", "teacher", "student", "task", "value", "low", "high"],
)


def write(folder, method, seconds, student="s"):
    record = make_record(
        method=method, teacher="micro-teacher", student="micro-student", task="micro_gsm8k", seed=0, metric="seconds",
        value=seconds, n=300, configuration={"threads": 1}, fingerprints={"teacher": "t", "student": student},
        seconds=seconds, peak_memory_bytes=3 * 2**20, details={"memory_before_bytes": 2**20},
    )  # fmt: skip
    write_record(folder / f"{method}.json", record)


@pytest.fixture
def profile(monkeypatch):
    monkeypatch.setattr(costs, "fingerprint_of", {"micro-teacher": "t", "micro-student": "s"}.__getitem__)
    return load_profile("micro-tuned")


def test_costs_stand_in_the_order_of_the_tables_with_scores(profile, tmp_path):
    for method, seconds in (("sft", 2.0), ("semalign-ce", 4.0), ("semalign", 1.5)):
        write(tmp_path, method, seconds)
    write(tmp_path, "ridge", 9.0, student="another")
    records = costs.cost_records(profile, tmp_path)
    data = costs.cost_data(profile, records, SCORES)
    assert data["method"].tolist() == ["semalign", "sft", "semalign-ce"]
    assert data["kind"].tolist()[::2] == ["method", "variant"]
    assert data[["seconds", "memory", "before"]].to_numpy().tolist() == [[1.5, 3, 1], [2, 3, 1], [4, 3, 1]]
    table = costs.cost_table(data)
    assert table.columns.tolist() == [
        "no.",
        "method",
        "kind",
        "seconds",
        "peak MiB",
        "MiB before the transfer",
        "score",
    ]
    assert table["no."].tolist() == ["1", "2", "3"]
    assert table["score"].tolist() == ["not run", Interval(50, 45, 55), "not run"]
    caption = costs.cost_caption(profile, records)
    assert caption.startswith("Cost of one transfer on GSM8K (300 training rows, 1 thread), and the score there.")
    assert "not run: " in caption and "ridge" in caption and "sft" not in caption


def test_without_a_folder_there_are_no_costs(profile, tmp_path):
    assert costs.cost_records(profile, tmp_path / "nowhere").empty
