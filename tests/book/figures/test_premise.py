"""Figures of the premise: a panel for each pair."""

import matplotlib.pyplot as plt
import pytest
from helpers.diagnoses import record

from semalign.analysis.diagnosis.pictures import NAMES
from semalign.book.figures.premise import patches_of_pairs, readings_of_pairs
from semalign.book.stacked import draw
from semalign.book.theme import inline_svg


@pytest.fixture
def two():
    made = [record(), record("other")]
    for each in made:
        each["details"]["patches"] = [{**patch, "strength": 1.0} for patch in each["details"]["patches"]]
        each["details"]["patches"] = [patch for patch in each["details"]["patches"] if patch["layer"] == 4]
    yield made
    plt.close("all")


def test_readings_have_a_panel_for_each_pair(two):
    first, second = readings_of_pairs(two).axes
    assert first.get_title() == "big → small, words" and second.get_title() == "other → small, words"
    assert first.containers[0].lines[0].get_ydata() == pytest.approx([10, 30])


def test_patches_have_a_point_for_each_map(two):
    figure = patches_of_pairs(two)
    lines = [container.lines[0].get_ydata() for container in figure.axes[0].containers]
    assert [float(line[0]) for line in lines] == [-0.25, 1.0]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {NAMES["semantic"], NAMES["zero"]}


def test_a_patch_says_its_numbers_where_the_pointer_rests(two):
    text = inline_svg(draw(patches_of_pairs(two)), "patches")
    said = f"{NAMES['semantic']}, layer 4: -0.250 [-0.350, -0.150]"
    assert text.count(f"<g><title>{said}</title>") == 4  # two panels, wide and stacked
    assert 'id="title' not in text


def test_without_records_the_figures_are_empty():
    assert len(readings_of_pairs([]).axes) == 1 and not patches_of_pairs([]).legends
