"""The states that transfers store: how large they are, and which are the same."""

import pytest

from semalign.methods.registry import method
from semalign.planning.machines import MACHINES
from semalign.planning.setup import Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.stored import states_on_disk
from semalign.planning.texts import Texts

SETUP = Setup(MACHINES["a100"], shapes_of("micro-teacher"), shapes_of("micro-student"))
TEXTS = Texts.of([(3, 2), (5, 1)])  # 5 supervised positions, 13 tokens
TEACHER, STUDENT = SETUP.teacher.width * 2, SETUP.student.width * 2  # bytes of a state in float16


def stored(name="semalign", task="gsm8k", **settings):
    return states_on_disk(SETUP, method(name).settings(**settings), TEXTS, task)


def test_the_teachers_states_are_of_supervised_positions_and_the_students_of_all_tokens():
    assert sorted(stored().values()) == sorted([5 * TEACHER, 13 * STUDENT])
    assert sorted(stored(train_size=1).values()) == sorted([3 * TEACHER, 6 * STUDENT])


def test_at_heads_a_position_has_a_state_for_each_head():
    assert sorted(stored(interface="heads").values()) == sorted([5 * SETUP.teacher.heads * TEACHER, 13 * STUDENT])


def test_a_divergence_also_stores_the_final_states():
    final = stored(output_loss="kl").items() - stored().items()
    assert [size for _, size in final] == [5 * TEACHER]


def test_a_method_without_states_stores_none():
    assert stored("sft") == {}


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"seed": 3, "learning_rate": 1e-2, "map": "ridge"}, 0),
        ({"interface": "residual"}, 1),
        ({"teacher_layer": 2}, 1),
        ({"layer_map": {2: 3}}, 1),
        ({"student_layer": 3}, 2),
        ({"train_size": 1}, 2),
        ({"task": "mmlu"}, 2),
    ],
)
def test_states_are_the_same_where_models_rows_layers_and_interface_are(change, new):
    assert len(stored(**change).keys() - stored().keys()) == new
