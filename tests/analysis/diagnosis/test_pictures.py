"""The pictures of a diagnosis: what is drawn where."""

import matplotlib.pyplot as plt
import pytest

from semalign.analysis.diagnosis import diagnose
from semalign.analysis.diagnosis.pictures import NAMES, patches_figure, readings_figure
from semalign.models.pair import Pair


@pytest.fixture
def found(teacher, student, rows):
    yield diagnose(Pair(teacher, student), rows, layers=[1, 4], strengths=(0.5, 1.0), maps=("semantic", "permuted"))
    plt.close("all")


def test_readings_have_a_line_for_each_map_over_the_teacher_s_layers(found):
    axis = readings_figure(found.readings).axes[0]
    labels = axis.get_legend_handles_labels()[1]
    drawn = [NAMES[name] for name in ("semantic", "permuted", "teacher", "student")]
    assert drawn == [x for x in labels if x in NAMES.values()]
    semantic = found.readings[found.readings["map"] == "semantic"]
    assert axis.containers[0].lines[0].get_ydata() == pytest.approx(100 * semantic["top_1"])
    # the student's four layers at the depths of the teacher's five
    assert axis.containers[3].lines[0].get_xdata() == pytest.approx([1.25, 2.5, 3.75, 5.0])


def test_patches_have_a_panel_for_each_strength(found):
    axes = patches_figure(found.patches).axes
    assert [axis.get_title() for axis in axes] == ["strength 0.5", "strength 1"]
    part = found.patches[(found.patches["map"] == "semantic") & (found.patches["strength"] == 1.0)]
    assert axes[1].containers[0].lines[0].get_ydata() == pytest.approx(part["change"])
    assert [text.get_text() for text in axes[0].get_xticklabels()] == ["1", "4"]


def test_a_map_of_the_user_s_own_is_drawn_under_its_own_name(found):
    renamed = found.patches.replace({"map": {"semantic": "my_map"}})
    own = found.readings.replace({"map": {"semantic": "my_map"}})
    for figure in (patches_figure(renamed), readings_figure(own)):
        labels = [label for axis in figure.axes for label in axis.get_legend_handles_labels()[1]]
        assert "my_map" in labels and "the paper's map" not in labels
