"""The table and the record that are written."""

import pandas as pd
import pytest

from semalign.analysis.decomposition_figure import write_decomposition
from semalign.results.records import read_record


def test_table_and_record_are_written(teacher, tmp_path):
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two, three"}\n')
    write_decomposition(teacher, tmp_path / "prompts.jsonl", tmp_path / "fig2-tiny.v1")
    table = pd.read_csv(tmp_path / "fig2-tiny.v1.csv")
    record = read_record(tmp_path / "fig2-tiny.v1.json")
    measured = table.query("basis == 'output' and interface == 'layer'")["cosine"].mean()
    assert record["value"] == pytest.approx(measured, abs=1e-5)
    assert record["n"] == table["tokens"].max()
    assert record["details"]["bases"]["random-64"]["m"] == 64
