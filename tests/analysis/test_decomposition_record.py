"""The prompts that are read, and the table and record that are written."""

import pandas as pd
import pytest

from semalign.analysis.decomposition_record import read_prompts, write_decomposition
from semalign.results.records import read_record

TEXTS = ["what is 1+2?", "a", "the cat, the dog.\n", "0123456789 and so on"]


def test_prompts_come_from_a_file(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "one"}\n{"prompt": "two"}\n')
    assert read_prompts(path) == ["one", "two"]
    path.write_text('{"prompt": "one"}\n{"text": "two"}\n')
    with pytest.raises(ValueError, match="row 2"):
        read_prompts(path)


def test_humaneval_is_looked_for_under_the_data_roots(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="openai_humaneval"):
        read_prompts("humaneval")
    (tmp_path / "openai/openai_humaneval").mkdir(parents=True)
    (tmp_path / "openai/openai_humaneval/test.jsonl").write_text('{"prompt": "def f():"}\n')
    assert read_prompts("humaneval") == ["def f():"]


def test_table_and_record_are_written(teacher, tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two, three"}\n')
    write_decomposition(teacher, tmp_path / "prompts.jsonl", tmp_path / "fig2-tiny.v1")
    table = pd.read_csv(tmp_path / "fig2-tiny.v1.csv")
    record = read_record(tmp_path / "fig2-tiny.v1.json")
    measured = table.query("basis == 'output' and interface == 'layer'")["cosine"].mean()
    assert record["value"] == pytest.approx(measured, abs=1e-5)
    assert record["n"] == table["tokens"].max()
    assert record["details"]["bases"]["random-64"]["m"] == 64
