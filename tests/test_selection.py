"""Choosing on validation data: every point once, never the test split, the best in the form of a profile."""

import pytest
import yaml
from test_experiments import FAST, profile  # noqa: F401

from semalign import selection
from semalign.profiles import load_profile


@pytest.fixture
def choosing(profile, tmp_path):  # noqa: F811
    path = tmp_path / "tiny.yaml"
    content = yaml.safe_load(path.read_text())
    grids = {"entropy": {"output_loss": ["cross_entropy"], "learning_rate": [1e-3, 1e-2]}}
    path.write_text(yaml.safe_dump({**content, "transfer": FAST, "selection": grids}))
    (tmp_path / "roots" / "semalign" / "micro-gsm8k" / "test.jsonl").unlink()  # whoever reads it fails
    return load_profile(path)


def test_the_grid_is_the_product_of_the_lists(choosing):
    assert list(selection.grid(choosing, "entropy")) == [
        {"output_loss": "cross_entropy", "learning_rate": 1e-3},
        {"output_loss": "cross_entropy", "learning_rate": 1e-2},
    ]


def test_each_point_runs_once_and_the_best_becomes_a_variant(choosing, tmp_path, monkeypatch):
    table = selection.select(choosing, tmp_path / "selection")
    assert table["best"].tolist().count(True) == 1
    assert len(list((tmp_path / "selection").glob("*.json"))) == 2
    variants = selection.chosen(choosing, table)
    assert variants["entropy"]["micro_gsm8k"]["output_loss"] == "cross_entropy"
    assert variants["entropy"]["micro_gsm8k"]["learning_rate"] in (1e-3, 1e-2)
    monkeypatch.setattr(selection, "transfer", lambda *_, **__: pytest.fail("a finished point ran again"))
    assert selection.select(choosing, tmp_path / "selection").equals(table)
