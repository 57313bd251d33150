"""Which layers are paired: by attribution, by the map, by the user."""

import pytest

from semalign.data.rows import batches
from semalign.models.architecture import Architecture
from semalign.models.pair import Pair
from semalign.settings import TransferSettings
from semalign.targets.attribution import attribute_layers
from semalign.targets.choice import check_layers, choose_layers, layer_map

# For 5 teacher layers and 4 student layers the paper's pairing is 1-1, 2-2, 3-3, 4-5.


@pytest.fixture
def pair(teacher, student):
    return Pair(teacher, student)


def test_heads_are_compared_only_where_there_are_as_many(pair, monkeypatch):
    check_layers(pair, TransferSettings(interface="heads"))
    of_teacher = pair.teacher_outline
    monkeypatch.setattr(Architecture, "n_heads", property(lambda self: 4 if self is of_teacher else 2))
    check_layers(pair, TransferSettings(interface="attention", attribution_interface="heads"))
    with pytest.raises(ValueError, match="2 and 4 of them: compare at attention"):
        check_layers(pair, TransferSettings(interface="heads"))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"student_layer": 4}, [([(5, 1.0)], 4)]),
        ({"student_layer": 3, "teacher_layer": 1}, [([(1, 1.0)], 3)]),
        ({"teacher_layer": 4}, [([(5, 1.0)], 4)]),
        ({"student_layer": 1, "interpolate": True}, [([(1, 0.75), (2, 0.25)], 1)]),
        ({"student_layer": 2, "interpolate": True}, [([(2, 0.5), (3, 0.5)], 2)]),
        ({"student_layers": [4, 2, 3, 2]}, [([(2, 1.0)], 2), ([(3, 1.0)], 3), ([(5, 1.0)], 4)]),
        ({"student_layer": 2, "layer_map": {2: 4}}, [([(4, 1.0)], 2)]),
        ({"student_layers": [1, 4], "layer_map": {4: 3}}, [([(1, 1.0)], 1), ([(3, 1.0)], 4)]),
        ({"teacher_layer": 4, "layer_map": {3: 4}}, [([(4, 1.0)], 3)]),
    ],
)
def test_settings_decide(pair, rows, settings, expected):
    choice = choose_layers(pair, TransferSettings(**settings), rows)
    assert choice.pairs == expected
    assert choice.attribution is None


@pytest.mark.parametrize("kind", ["absolute", "signed"])
def test_otherwise_the_largest_attribution_of_the_first_rows_decides(pair, teacher, rows, kind):
    settings = TransferSettings(attribution=kind, attribution_examples=3, interface="residual")
    choice = choose_layers(pair, settings, rows)
    expected = attribute_layers(
        teacher, batches(pair.encode(rows[:3]).teacher, 8), "residual", aggregation=kind
    ).tolist()
    assert choice.attribution == pytest.approx(expected, rel=1e-6)
    critical = 1 + expected.index(max(expected))
    layer, k = layer_map(pair, settings).pair(critical)
    assert choice.pairs == [([(layer, 1.0)], k)]


def test_what_is_attributed_and_how_can_differ_from_what_is_compared(pair, teacher, rows):
    given = {"attribution_method": "ablation", "attribution_interface": "heads", "attribution": "signed"}
    settings = TransferSettings(**given, attribution_examples=3, interface="mlp")
    some = batches(pair.encode(rows[:3]).teacher, 8)
    expected = attribute_layers(teacher, some, "heads", aggregation="signed", method="ablation").tolist()
    assert choose_layers(pair, settings, rows).attribution == pytest.approx(expected, rel=1e-6)
