"""What a page saves, shows and links."""

import json

import pandas as pd
import pytest
from helpers.claims import put

from semalign.book import page as pages
from semalign.book.page import NotProvidedError, Page, open_page


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_x.py").write_text("x")
    return tmp_path


@pytest.fixture
def page(project):
    return Page("01_x", "semalign run --only '01'")


def test_provenance_publishes_what_it_links(project, page):
    record = put(project, "run.json")
    page.save(pd.DataFrame({"x": [1 / 3]}), "fig-x")
    line = page.provenance("fig-x", records=record)
    published = project / "book" / "_static" / "data"
    assert (published / "fig-x.csv").read_text() == "x\n0.333333\n"
    for name in ("01_x.py", "fig-x.csv", "run.json"):
        assert f'href="../_static/data/{name}"' in line._repr_html_() and (published / name).is_file()
    assert '--only</span> <span class="pre">&#x27;01&#x27;</span>' in line._repr_html_()
    assert '<code><span class="pre">other</span></code>' in page.provenance("fig-x", "other")._repr_html_()


def test_of_several_records_a_line_for_each_is_offered(project, page):
    for seed in (0, 1):
        put(project, f"runs/{seed}.json", seed=seed)
    page.save(pd.DataFrame({"x": [1]}), "fig-x")
    line = page.provenance("fig-x", records=project / "data" / "results" / "runs")._repr_html_()
    assert (
        '<a href="../_static/data/fig-x-records.csv" download>2 of 2 records</a> of <code>data/results/runs</code>'
        in line
    )
    listed = pd.read_csv(project / "book" / "_static" / "data" / "fig-x-records.csv")
    assert list(listed["file"]) == ["data/results/runs/0.json", "data/results/runs/1.json"] and list(
        listed["seed"]
    ) == [0, 1]
    assert "records" not in page.provenance("fig-x", records=[])._repr_html_()


def test_records_of_trainings_on_the_page_are_kept_below_the_book(project, page):
    made = json.loads(put(project, "run.json").read_text())
    made.pop("checksum", None)
    paths = page.keep({"LoRA scale 2": made, "at 1e-3": made}, "variants")
    folder = project / "book" / "_static" / "records" / "01_x-variants"
    assert paths == [folder / "lora-scale-2.json", folder / "at-1e-3.json"]
    page.save(pd.DataFrame({"x": [1]}), "variants")
    line = page.provenance("variants", records=paths)._repr_html_()
    assert "2 of 2 records</a> of <code>book/_static/records/01_x-variants</code>" in line


def test_data_that_the_page_computes_have_its_run_with_what_it_read(project, monkeypatch):
    monkeypatch.setattr(pages, "hold_to", lambda *_: None)
    (project / "data").mkdir()
    (project / "data" / "rows.csv").write_text("1")
    found = []
    for content in ("1", "2"):
        (project / "data" / "rows.csv").write_text(content)
        page = open_page("01_x", "micro", ["rows.csv"])
        page.save(pd.DataFrame({"x": [1]}), "fig-x")
        assert page.provenance("fig-x").links["run (JSON)"] == "01_x-run.json"
        found.append(json.loads((project / "book" / "_static" / "data" / "01_x-run.json").read_text()))
    assert found[0]["profile"] == "micro" and found[0]["command"] == "semalign run --profile micro --only 01"
    assert found[0]["inputs"].keys() == {"rows.csv"} and found[0]["inputs"] != found[1]["inputs"]
    assert found[0]["seconds"] >= 0 and found[0]["peak_memory_bytes"] > 0 and "torch" in found[0]["versions"]


def test_provenance_without_data_is_an_error(page):
    with pytest.raises(FileNotFoundError, match=r"fig-y\.csv is missing: save the data of a figure before"):
        page.provenance("fig-y")


def test_a_table_is_shown_with_its_numbers_saved(project, page, monkeypatch):
    shown = []
    monkeypatch.setattr(pages, "display", lambda *what: shown.extend(what))
    page.show_table(pd.DataFrame({"x": [0.5]}), "Half.", "half", decimals=1, command="make it")
    table, line = shown
    assert ":::{table} Half.\n:name: tab-half\n" in table._repr_markdown_() and "| 0.5 |" in table._repr_markdown_()
    assert (
        "half.csv" in line._repr_html_()
        and '<span class="pre">make</span> <span class="pre">it</span></code>' in line._repr_html_()
    )
    assert (project / "book" / "_static" / "data" / "half.csv").read_text() == "x\n0.5\n"


def test_a_notebook_opens_with_its_command_and_held_to_its_inputs(monkeypatch):
    held = []
    monkeypatch.setattr(pages, "hold_to", lambda *given: held.append(given))
    assert open_page("09_controls", "micro", ["paper"]).command == "semalign run --profile micro --only 09"
    assert held == [(["paper"], "micro")]


def test_a_notebook_without_its_models_or_data_stops_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    monkeypatch.setenv("SEMALIGN_DATA", str(tmp_path))
    with pytest.raises(NotProvidedError, match="profile llama2: 4 of its models and data are not here") as stopped:
        open_page("03_attribution", "llama2", ["models"])
    (line,) = stopped.value._render_traceback_()  # what IPython shows
    assert "`semalign fetch --profile llama2` gets them where there is a network" in line and "\n" not in line
    with pytest.raises(NotProvidedError, match="the first is data cais/mmlu all validation"):
        open_page("03_attribution", "llama2", ["benchmarks"])
