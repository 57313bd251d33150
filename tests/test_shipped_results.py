"""Each file below data/results is one that the book asks for: a cell, a grid point, or a name in its text."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from semalign.book.table_directive import SOURCES
from semalign.book.tables.published import BENCHMARKS
from semalign.experiments.cells import cells, entries_of
from semalign.experiments.grids import points
from semalign.experiments.profiles import load_profile
from semalign.experiments.selection import TABLE
from semalign.models.identity import model_identity
from semalign.models.loading import load_model
from semalign.results.records import CHECKSUM, read_record
from semalign.tensor_files import tensor_fingerprint

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "data" / "results"
PROFILES = (
    *("micro-tuned", "micro-sibling-tuned", "micro-plus", "micro-few"),
    *("sibling-few", "sibling-plus", "sibling-form", "sibling-places", "coder-plus"),
)


def files(folder: str) -> set[str]:
    return {path.name for path in (RESULTS / folder).iterdir() if not path.name.endswith(".jsonl.gz")}


@pytest.mark.parametrize(
    "name",
    [
        "coder-plus",
        "micro",
        "micro-changes",
        "micro-tuned",
        "micro-sibling-tuned",
        "micro-sibling",
        "sibling-changes",
        "sibling-few",
        "sibling-first",
        "sibling-form",
        "sibling-plus",
        "student-ablations",
    ],
)
def test_a_comparison_has_a_record_for_each_cell_and_no_other(name):
    assert files(name) == {cell.file_name for cell in cells(load_profile(name))}


@pytest.mark.parametrize("name", PROFILES)
def test_a_search_has_a_record_for_each_grid_point_and_no_other(name):
    asked = {point.file_name for point in points(load_profile(name))}
    assert files(f"{name}-selection") == {TABLE, *asked}


def test_costs_are_of_methods_and_variants():
    assert files("micro-tuned-cost") == {f"{name}.json" for name in entries_of(load_profile("micro-tuned"), ["all"])}


def test_every_folder_is_described():
    described = (RESULTS / "README.md").read_text()
    assert all(f"`{path.name}/`" in described for path in RESULTS.iterdir() if path.is_dir())


def test_diagnoses_are_named_after_pair_and_task():
    pairs = [("teacher", "sibling"), ("teacher", "student"), ("coder", "teacher")]
    tasks = load_profile("micro").tasks
    assert files("diagnosis") >= {f"micro-{a}--micro-{b}--{task}.json" for a, b in pairs for task in tasks}
    for path in (RESULTS / "diagnosis").iterdir():
        record = read_record(path)
        assert path.name == f"{record['teacher']}--{record['student']}--{record['task']}.json"
        assert record["method"] == "diagnose"


MICRO = ("micro-student", "micro-teacher", "micro-coder", "micro-wizard", "micro-sibling")


@pytest.mark.parametrize("name", MICRO)
def test_records_have_the_identities_of_the_shipped_models(name):
    identity = model_identity(load_model(name))
    folders = ("micro*", "micro-validation/*", "diagnosis")
    records = [read_record(path) for folder in folders for path in RESULTS.glob(f"{folder}/*.json")]
    found = [
        record["fingerprints"][role] for record in records for role in ("teacher", "student") if record[role] == name
    ]
    assert len(found) >= 12 and set(found) == {identity}


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("move_identities", ROOT / "data" / "move_identities.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_moves_the_hashes_of_the_same_models_only(script, tmp_path, capsys):
    model = load_model("micro-student")
    old, new = tensor_fingerprint(model.model.state_dict()), model_identity(model)
    with_checksum = next((RESULTS / "micro").glob("none--micro-student--*.json")).read_text()
    text = re.sub(r',\n  "checksum": "\w+"', "", with_checksum)  # as such records were
    for name, content in {"old": text.replace(new, old), "new": text, "other": text.replace(new, "0" * 16)}.items():
        (tmp_path / f"{name}.json").write_text(content)
    script.move(tmp_path)
    assert (tmp_path / "old.json").read_text() == (tmp_path / "new.json").read_text() == text
    assert (tmp_path / "other.json").read_text() == text.replace(new, "0" * 16)
    told = capsys.readouterr().out
    assert "other.json is left as it is: its student is another micro-student than the one here" in told
    assert "1 records moved, 1 records with their identities already" in told


def test_every_record_is_as_it_was_written():
    paths = [path for path in RESULTS.rglob("*.json") if path.parent.name != "speed"]
    assert len(paths) > 800
    for path in paths:
        assert CHECKSUM in json.loads(path.read_text()), path
        read_record(path)


def test_other_results_are_shown_or_named_in_the_book():
    objectives = ("literal", "permuted-atoms", "cross-entropy")
    transfers = {f"transfer-cut-{task}-{name}.json" for task in ("gsm8k", "mbpp") for name in objectives}
    pages = [*(ROOT / "notebooks").glob("*.py"), *(ROOT / "book").glob("*.md"), ROOT / "data" / "claims.yaml"]
    text = "".join(page.read_text() for page in pages) + "".join(source.files for source in SOURCES.values())
    asked = {cell.file_name for cell in cells(load_profile("small"))}
    for name in (files("small") - transfers - asked) | files("speed") | files("micro-analysis"):
        assert name.rsplit(".", 1)[0] in text, name
    assert files("small/smollm2-135m") == {f"{task}.json" for task in BENCHMARKS}
