"""The line under a figure, and what it says of many records."""

import pytest
from helpers.claims import put
from IPython.core.formatters import DisplayFormatter

from semalign.book.provenance import KEY, Provenance, listing, record_files, source_container, summary

FIELDS = {"n": 10, "seconds": 2.0, "peak_memory_bytes": 5, "commit": "abc", "created": "2026-01-02T03:04:05+00:00"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    put(tmp_path, "tiny/a.json", **FIELDS)
    put(
        tmp_path,
        "tiny/b.json",
        **{**FIELDS, "seed": 1, "n": 20, "seconds": 3.5, "peak_memory_bytes": 9, "commit": "def"},
    )
    later = {"method": "none", "seed": None, "commit": None, "created": "2026-01-05T03:04:05+00:00"}
    put(tmp_path, "tiny/c.json", **{**FIELDS, **later})
    return tmp_path / "data" / "results" / "tiny"


def test_records_of_a_folder_are_listed_and_summed_up(folder):
    listed = listing(record_files(folder))
    assert list(listed["file"]) == [f"data/results/tiny/{name}.json" for name in "abc"]
    assert summary(listed) == {
        "number": 3, "of": 3, "folders": ["data/results/tiny"], "commits": ["abc", "def"], "devices": ["cpu"],
        "methods": ["none", "semalign"], "seeds": [0, 1], "n": [10, 20], "seconds": 7.5, "peak_memory_bytes": 9,
        "days": ["2026-01-02", "2026-01-05"],
    }  # fmt: skip


def test_some_records_of_a_folder_say_of_how_many(folder):
    found = summary(listing(record_files([folder / "b.json", folder / "a.json"])))
    assert (found["number"], found["of"]) == (2, 3)


def test_a_record_that_is_not_there_is_named(folder):
    for place in (folder / "d.json", folder.parent / "none", [folder / "a.json", folder / "d.json"]):
        with pytest.raises(FileNotFoundError, match=r"no record .*(d\.json|none): name the records"):
            record_files(place)
    (folder.parent / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no record .*empty"):
        record_files(folder.parent / "empty")


def test_the_line_links_its_files_and_its_data_stay_in_the_notebook():
    links = {"data (CSV)": "x.csv", "2 of 3 records": "x-records.csv"}
    line = Provenance("x", "make 'x'", links, {"folders": ["data/results/tiny"]}, 7)
    shown, kept = DisplayFormatter().format(line)
    text = shown["text/html"]
    assert '<a href="../_static/data/x-records.csv" download>2 of 3 records</a> of <code>data/results/tiny' in text
    assert '<code><span class="pre">make</span> <span class="pre">&#x27;x&#x27;</span></code>' in text
    assert '<a href="../provenance.html">' in text
    records = {"folders": ["data/results/tiny"]}
    assert kept[KEY] == {
        "data": "x", "command": "make 'x'", "links": links, "records": records, "peak_memory_bytes": 7,
    }  # fmt: skip


def test_a_table_outside_notebooks_has_the_module_its_data_and_the_command():
    line = source_container("speed_page", ["`data/results/bench/cpu`"], "make bench")
    parts = (
        "{mod}`source <semalign.book.speed_page>` · `data/results/bench/cpu` · `make bench` · {ref}`all <provenance>`"
    )
    assert line == f"\n```{{container}} provenance\n{parts}\n```\n"
    assert source_container("speed_page") == (
        "\n```{container} provenance\n{mod}`source <semalign.book.speed_page>` · {ref}`all <provenance>`\n```\n"
    )
