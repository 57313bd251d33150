"""The states that transfers store: how large they are, those that a run writes, and which are the same."""

import pytest
import torch

from semalign.methods.registry import method
from semalign.methods.runner import run_method
from semalign.models.loading import load_model
from semalign.models.pair import Pair
from semalign.planning.machines import MACHINES
from semalign.planning.setup import Options, Setup
from semalign.planning.shapes import shapes_of
from semalign.planning.stored import HELD_OUT, TRAINING, states_on_disk
from semalign.planning.texts import Texts
from semalign.targets import store

HALF = Options(dtype=torch.float16)
SETUP = Setup(MACHINES["a100"], shapes_of("micro-teacher"), shapes_of("micro-student"), options=HALF)
TEXTS = Texts.of([(3, 2), (5, 1)])  # 5 supervised positions, 13 tokens
TEACHER, STUDENT = SETUP.teacher.width * 2, SETUP.student.width * 2  # bytes of a state in float16


def stored(name="semalign", task="gsm8k", **settings):
    return states_on_disk(SETUP, method(name).settings(**settings), TEXTS, task)


def test_the_teachers_states_are_of_supervised_positions_and_the_students_of_all_tokens():
    assert sorted(stored().values()) == sorted([5 * TEACHER, 13 * STUDENT])
    assert sorted(stored(train_size=1).values()) == sorted([3 * TEACHER, 6 * STUDENT])
    assert sorted(stored(positions="all").values()) == sorted([11 * TEACHER, 13 * STUDENT])


def test_at_heads_a_position_has_a_state_for_each_head():
    assert sorted(stored(interface="heads").values()) == sorted([5 * SETUP.teacher.heads * TEACHER, 13 * STUDENT])


def test_a_divergence_also_stores_the_final_states():
    final = stored(output_loss="kl").items() - stored().items()
    assert [size for _, size in final] == [5 * TEACHER]


def test_held_out_rows_have_states_of_their_own_but_no_map_is_fitted_on_them():
    settings = method("semalign").settings(map="ridge")
    both = states_on_disk(SETUP, settings, TEXTS, "gsm8k", TEXTS.first(1))
    sizes = {of: sorted(size for key, size in both.items() if key.of == of) for of in (TRAINING, HELD_OUT)}
    assert sizes == {
        TRAINING: sorted([5 * TEACHER, 5 * STUDENT, 13 * STUDENT]),
        HELD_OUT: sorted([3 * TEACHER, 6 * STUDENT]),
    }


def test_a_method_without_states_stores_none():
    assert stored("sft") == {}


@pytest.fixture(scope="module")
def models():
    return [load_model(name, dtype=torch.float16) for name in ("micro-teacher", "micro-student")]


@pytest.fixture
def written(monkeypatch):
    """Return a list to which the bytes of all states that are written are added, by whose they are: the width."""
    found, write = [], store.write_tensors

    def counted(path, tensors, made_from):
        found.append((tensors["states"].shape[-1], tensors["states"].nbytes))
        return write(path, tensors, made_from)

    monkeypatch.setattr(store, "write_tensors", counted)
    return found


def planned_and_run(models, rows, held_out, **settings):
    """Return the plan of a short transfer, after the transfer itself."""
    encoded = Pair(*models).encode([*rows, *held_out]).student
    lengths = [(example.prompt_length, len(example) - example.prompt_length - 1) for example in encoded]
    texts, unseen = Texts.of(lengths[: len(rows)]), Texts.of(lengths[len(rows) :])
    chosen = method("semalign").settings(epochs=1, **settings)
    run_method("semalign", *models, rows, validation=held_out or None, **chosen.model_dump(exclude_unset=True))
    return states_on_disk(SETUP, chosen, texts, "own data", unseen)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"student_layers": [2, 5, 8]},
        {"student_layers": [2, 5], "layer_map": {2: 6, 5: 6}},  # both have the same teacher layer
        {"student_layers": [2, 4], "interpolate": True},  # the second is at the depth of one layer
        {"student_layers": [2, 5], "map": "ridge", "positions": "all"},
        {"student_layer": 2, "interface": "heads", "map": "ridge", "output_loss": "kl"},
    ],
    ids=str,
)
def test_a_run_writes_as_many_bytes_as_its_plan_says(models, written, rows, unseen, settings):
    plan = planned_and_run(models, rows[:5], unseen[:2], **settings)
    for width, model in ((SETUP.teacher.width, SETUP.teacher), (SETUP.student.width, SETUP.student)):
        assert sum(size for key, size in plan.items() if key.model == model.name) == sum(
            size for each, size in written if each == width
        )


@pytest.mark.slow
def test_a_schedule_that_trains_every_layer_keeps_the_teachers_states_of_all_and_the_students_of_one(
    models, written, rows
):
    alike = [row for row in rows if len(row["response"]) == len(rows[0]["response"])][:4]
    plan = planned_and_run(models, alike, [], schedule="frontier")
    of_student = [size for width, size in written if width == SETUP.student.width]
    assert len(of_student) == SETUP.student.layers
    assert sum(plan.values()) == sum(size for _, size in written) - sum(of_student) + max(of_student)


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ({"seed": 3, "learning_rate": 1e-2, "map": "least_squares"}, 0),
        ({"map": "ridge"}, 1),
        ({"interface": "residual"}, 1),
        ({"positions": "all"}, 1),
        ({"teacher_layer": 2}, 2),
        ({"responses": "teacher"}, 2),
        ({"layer_map": {2: 3}}, 1),
        ({"student_layer": 3}, 2),
        ({"train_size": 1}, 2),
        ({"task": "mmlu"}, 2),
    ],
)
def test_states_are_the_same_where_models_rows_layers_and_interface_are(change, new):
    assert len(stored(**change).keys() - stored().keys()) == new


def test_layers_with_one_teacher_layer_share_its_states():
    one, both = stored(student_layer=2), stored(student_layers=[2, 3])
    assert one.keys() < both.keys() and len(both) == 3
