"""Each file below data/results is one that the book asks for: a cell, a grid point, or a name in its text."""

from pathlib import Path

import pytest

from semalign.book.tables.published import BENCHMARKS
from semalign.experiments.cells import cells, entries_of
from semalign.experiments.grids import points
from semalign.experiments.profiles import load_profile
from semalign.experiments.selection import TABLE

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "data" / "results"
PROFILES = ("micro", "micro-plus", "micro-few")


def files(folder: str) -> set[str]:
    return {path.name for path in (RESULTS / folder).iterdir() if not path.name.endswith(".jsonl.gz")}


def test_the_comparison_has_a_record_for_each_cell_and_no_other():
    assert files("micro") == {cell.file_name for cell in cells(load_profile("micro"), ["all"])}


@pytest.mark.parametrize("name", PROFILES)
def test_a_search_has_a_record_for_each_grid_point_and_no_other(name):
    asked = {point.file_name for point in points(load_profile(name))}
    assert files(f"{name}-selection") == {TABLE, *asked}


def test_costs_are_of_methods_and_variants():
    assert files("micro-cost") == {f"{name}.json" for name in entries_of(load_profile("micro"), ["all"])}


def test_every_folder_is_described():
    described = (RESULTS / "README.md").read_text()
    assert all(f"`{path.name}/`" in described for path in RESULTS.iterdir() if path.is_dir())


def test_other_results_are_shown_or_named_in_the_book():
    objectives = ("literal", "permuted-atoms", "cross-entropy")
    transfers = {f"transfer-cut-{task}-{name}.json" for task in ("gsm8k", "mbpp") for name in objectives}
    pages = [*(ROOT / "notebooks").glob("*.py"), *(ROOT / "book").glob("*.md")]
    text = "".join(page.read_text() for page in pages)
    for name in (files("small") - transfers) | files("speed"):
        assert name.rsplit(".", 1)[0] in text, name
    assert files("small/smollm2-135m") == {f"{task}.json" for task in BENCHMARKS}
