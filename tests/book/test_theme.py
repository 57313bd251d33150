"""Tables and provenance lines as the book shows them."""

import numpy as np
import pandas as pd
import pytest

from semalign.book import theme


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    return tmp_path


def test_a_table_trims_decimals_and_keeps_its_columns_apart():
    frame = pd.DataFrame({"method": ["a|b", "c"], "score": [68.123, np.nan], "n": [500, 41]})
    lines = theme.table(frame, "Scores.", "tab-scores", decimals=1)._repr_markdown_().splitlines()
    assert lines == [
        ":::{table} Scores.",
        ":name: tab-scores",
        "",
        "| method | score | n |",
        "| :-- | --: | --: |",
        "| a\\|b | 68.1 | 500 |",
        "| c | – | 41 |",
        ":::",
    ]


def test_provenance_publishes_what_it_links(project):
    (project / "notebooks").mkdir()
    (project / "notebooks" / "01_x.py").write_text("x")
    (project / "run.json").write_text("{}")
    theme.save_figure_data(pd.DataFrame({"x": [1 / 3]}), "fig-x")
    line = theme.provenance("notebooks/01_x.py", "fig-x", "semalign run --only '01'", record=project / "run.json")
    published = project / "book" / "_static" / "data"
    assert (published / "fig-x.csv").read_text() == "x\n0.333333\n"
    for name in ("01_x.py", "fig-x.csv", "run.json"):
        assert f'href="../_static/data/{name}"' in line._repr_html_() and (published / name).is_file()
    assert "--only &#x27;01&#x27;" in line._repr_html_()


def test_provenance_without_data_is_an_error(project):
    (project / "notebooks").mkdir()
    (project / "notebooks" / "01_x.py").write_text("x")
    with pytest.raises(FileNotFoundError, match="call save_figure_data"):
        theme.provenance("notebooks/01_x.py", "fig-y", "command")
