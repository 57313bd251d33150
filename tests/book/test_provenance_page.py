"""The page of provenance says of each chapter what its notebook holds."""

import json

import pytest

from semalign.book.provenance import KEY
from semalign.book.provenance_page import entries, provenance_tables, run_text

KEPT = {
    "number": 2, "of": 3, "folders": ["data/results/tiny"], "commits": ["a", "b", "c", "d"], "devices": ["cpu"],
    "methods": ["semalign"], "seeds": [0, 1], "n": [10, 20], "seconds": 7260.0, "peak_memory_bytes": 2_000_000_000,
    "days": ["2026-01-02", "2026-01-05"],
}  # fmt: skip
RUN = {"profile": "micro", "commit": "abc", "created": "2026-02-03T04:05:06", "seconds": 90.4}


def entry(data, records, **links):
    return {"data": data, "command": "make it", "links": {"data (CSV)": f"{data}.csv", **links}, "records": records,
            "peak_memory_bytes": 3_000_000}  # fmt: skip


def notebook(*found, run=RUN):
    outputs = [{"output_type": "display_data", "data": {}, "metadata": {KEY: each}} for each in found]
    first = {"cell_type": "markdown", "source": ["# The first\n", "Purpose"]}
    cells = [first, {"cell_type": "code", "outputs": [{"name": "stdout"}, *outputs]}]
    return {"cells": cells, "metadata": {"semalign_run": run} if run else {}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    for folder in ("notebooks", "book/notebooks"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("01_x", "02_y"):
        (tmp_path / "notebooks" / f"{name}.py").write_text("x")
    return tmp_path


def test_each_chapter_has_its_run_its_data_and_their_records(project):
    found = [entry("a", KEPT, **{"2 of 3 records": "a-records.csv"}), entry("b", {}), entry("c", {})]
    found.append(entry("d", {}, **{"run (JSON)": "01_x-run.json"}) | {"command": "run it"})
    (project / "book" / "notebooks" / "01_x.ipynb").write_text(json.dumps(notebook(*found)))
    text = provenance_tables()
    assert "## {doc}`The first </notebooks/01_x>`" in text
    assert "Run on 2026-02-03 at commit `abc`, profile `micro`: 90 s, 3 MB at most." in text
    assert (
        "* - {download}`a </_static/data/a.csv>`\n"
        "  - {download}`2 of 3 records </_static/data/a-records.csv>` in `data/results/tiny`; method `semalign`; "
        "seeds 0, 1; n 10 to 20; cpu, 2.0 h in all, 2,000 MB; 4 commits; 2026-01-02 to 2026-01-05\n  - `make it`\n"
    ) in text
    assert (
        "* - {download}`b </_static/data/b.csv>`\\\n    {download}`c </_static/data/c.csv>`\n  - models, data" in text
    )
    assert "the chapter reads, in {download}`this run </_static/data/01_x-run.json>`\n  - `run it`" in text
    assert "## `02_y`\n\nThis chapter has not been run." in text


def test_data_that_are_shown_twice_are_listed_once():
    first, other = entry("a", {}), entry("b", {})
    found = entries(notebook(first, other, {**first, "command": "a part of it"}))
    assert found == [{**first, "labels": []}, {**other, "labels": []}]


def test_data_are_named_after_the_table_in_their_cell_or_the_figure_before_it():
    def cell(data, text="", figure=None):
        outputs = [{"data": {"text/markdown": text}}, *([{"metadata": {KEY: entry(data, {})}}] if data else [])]
        return {"outputs": outputs, "metadata": {"mystnb": {"figure": {"name": figure}}} if figure else {}}

    shown = ":::{table} A table\n:name: tab-b\n\n| x |\n:::\n"
    cells = [
        cell("a"),
        cell(None, figure="fig-one"),
        cell("b", shown),
        cell("c"),
        cell("d"),
        cell("e", figure="fig-two"),
        cell("c", figure="fig-three"),
    ]
    both = [*cell("b", shown)["outputs"], *cell("f", shown.replace("tab-b", "tab-of-another-name"))["outputs"]]
    cells.append({"outputs": both})
    labels = {each["data"]: each["labels"] for each in entries({"cells": cells})}
    assert labels == {
        "a": [],
        "b": ["tab-b"],
        "c": ["fig-one", "fig-three"],
        "d": [],
        "e": ["fig-two"],
        "f": ["tab-of-another-name"],
    }


def test_a_figure_or_table_is_named_by_its_number(project):
    path = project / "book" / "notebooks" / "01_x.ipynb"
    content = notebook(entry("a", KEPT))
    content["cells"][1]["metadata"] = {"mystnb": {"figure": {"name": "fig-one"}}}
    path.write_text(json.dumps(content))
    assert "* - {numref}`fig-one`: {download}`a </_static/data/a.csv>`\n" in provenance_tables()


def test_a_notebook_outside_git_has_no_commit():
    assert run_text({**RUN, "commit": None}) == "Run on 2026-02-03, profile `micro`: 90 s."
