"""Chapter 1: cosines of atoms, and a plane with regions, on atoms made by hand."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from semalign.bases.basis import SemanticBasis
from semalign.book.figures.bases import (
    Association,
    associate,
    atom_cosines,
    cosine_table,
    pair_cosines,
    semantic_association,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def seen():
    """Three orthogonal atoms, and a state on the first."""
    return Association(["a", "b", "c"], torch.eye(3, 5, dtype=torch.float64), torch.eye(1, 5, dtype=torch.float64)[0])


def test_every_pair_of_drawn_atoms_counts_once():
    basis = SemanticBasis.random(50, 8, seed=0)
    cosines = pair_cosines(basis, 10)
    assert len(cosines) == 45 and np.abs(cosines).max() < 1
    grown = pair_cosines(basis, 50)
    unit = basis.unit
    expected = (((unit.sum(0) ** 2).sum() - 50) / (50 * 49)).item()
    assert grown.mean() == pytest.approx(expected, abs=1e-6)


def test_the_panels_of_cosines_are_the_models():
    bases = {
        (model, side): SemanticBasis.random(20, 4, seed)
        for seed, model in enumerate("ab")
        for side in ("output", "random")
    }
    table = cosine_table(bases)
    assert len(table) == 4 * 190
    figure = atom_cosines(table)
    assert [axis.get_title() for axis in figure.axes] == ["a", "b"]


def test_the_plane_keeps_distances_of_atoms_that_lie_on_it(seen):
    points = seen.project(seen.unit)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    assert distances == pytest.approx(np.sqrt(2) * (1 - np.eye(3)))
    assert seen.table()["cosine with state"].tolist() == [1.0, 0.0, 0.0]


def test_the_region_of_an_atom_is_around_it(seen):
    assert seen.nearest(seen.project(seen.unit)).tolist() == [0, 1, 2]


def test_the_figure_has_the_tokens_their_places_and_the_regions(seen):
    figure = semantic_association(seen)
    vocabulary, space, regions = figure.axes
    assert [text.get_text() for text in vocabulary.texts] == ["'a'", "'b'", "'c'"]
    assert [text.get_text() for text in space.texts] == ["1.00", "0.00", "0.00"]
    assert len(regions.images) == 1 and regions.get_title() == "semantic regions"


def test_the_state_is_the_last_before_one_of_the_tokens(student):
    basis = SemanticBasis.from_model(student)
    row = {"prompt": "2+2=", "response": "4+1=5."}
    found = associate(student, basis, row, ["4", "5"])
    assert list(found.tokens) == ["4", "5"]
    with torch.no_grad():
        ids = student.tokenizer("2+2=4+1=", return_tensors="pt")["input_ids"]
        output = student.model(input_ids=ids, output_hidden_states=True).hidden_states[-1][0, -1]
    assert found.state @ (output / output.norm()).double() == pytest.approx(1.0)
    assert len(associate(student, basis, row, ["@"]).tokens) == 6
