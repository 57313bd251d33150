"""Positions of a padded batch, labels, targets and counts, by hand."""

from dataclasses import replace

import pytest
import torch
from helpers.models import make_tokenizer

from semalign.data.rows import Matched, encode
from semalign.targets.store import StateStore
from semalign.targets.supervision import At, LayerTargets, Supervision, match_examples

CPU = torch.device("cpu")
ROWS = [{"prompt": "x?", "response": "yz"}, {"prompt": "x", "response": "y"}]  # 5 and 3 tokens, with their ends


def stored(folder, states):
    store = StateStore(folder, {"of": str(folder)}, [len(part) for part in states], states[0].shape[1], torch.float64)
    store.ensure(lambda wanted: [states[i] for i in wanted], "states")
    return store


@pytest.fixture
def supervision(tokenizer, tmp_path):
    examples = encode(ROWS, tokenizer, 64)
    entering = [torch.arange(10.0).double().reshape(5, 2), -torch.arange(6.0).double().reshape(3, 2)]
    teacher = [torch.tensor([[1.0, 0, 0], [0, 2, 0]]).double(), torch.tensor([[0.0, 0, 3]]).double()]
    matched = [Matched([1, 3], [1, 2]), Matched([0], [0])]
    alignment = torch.tensor([[1.0, 0], [0, 1], [1, 1]]).double()
    layers = [LayerTargets(2, stored(tmp_path / "teacher", teacher), alignment)]
    return Supervision(examples, "response", matched, stored(tmp_path / "entering", entering), layers, CPU)


def test_a_batch_by_hand(supervision, tokenizer):
    batch = supervision.batch([1, 0])
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch.states[0].tolist() == [[0, -1], [-2, -3], [-4, -5], [0, 0], [0, 0]]
    assert (batch.labelled.rows.tolist(), batch.labelled.columns.tolist()) == ([0, 0, 1, 1, 1], [0, 1, 1, 2, 3])
    y, z, end = (*tokenizer("yz")["input_ids"], tokenizer.eos_token_id)
    assert batch.labels.tolist() == [y, end, y, z, end]
    assert (batch.matched.rows.tolist(), batch.matched.columns.tolist()) == ([0, 1, 1], [0, 1, 2])
    assert batch.targets[2].tolist() == [[3, 3], [1, 0], [0, 2]]
    assert batch.teacher_final is None and supervision.trained == [2]


def test_at_heads_a_position_has_a_target_for_each_head_also_where_a_part_has_no_position(supervision, tmp_path):
    states = [torch.arange(1.0, 7).double()[:, None].expand(6, 3), torch.zeros(0, 3).double()]  # 2 positions of 3 heads
    layers = [LayerTargets(2, stored(tmp_path / "heads", states))]
    heads = replace(supervision, matched=[Matched([1, 3], [1, 2]), Matched([], [])], layers=layers)
    assert heads.states_each == 3 and supervision.states_each == 1
    assert heads.batch([0]).targets[2][..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert heads.batch([1]).targets[2].shape == (0, 3, 3)
    assert torch.equal(heads.batch([1, 0]).targets[2], heads.batch([0]).targets[2])


def test_counts_by_hand(supervision):
    assert supervision.counts([0, 1]) == (5, 3)
    assert supervision.counts([1]) == (2, 1) and supervision.counts([]) == (0, 0)


def test_a_layer_without_a_map_keeps_the_teachers_states(supervision):
    (layer,) = supervision.layers
    bare = LayerTargets(2, layer.teacher_states)
    assert bare.of([1, 0], CPU).tolist() == [[0, 0, 3], [1, 0, 0], [0, 2, 0]]
    assert layer.comparable and not bare.comparable
    assert LayerTargets(2, layer.teacher_states, projection=torch.zeros(2, 3)).comparable


def test_the_share_of_the_mean_direction_by_hand(supervision, monkeypatch):
    (layer,) = supervision.layers  # unit targets (1, 0), (0, 1) and (1, 1) / sqrt 2
    assert layer.mean_direction_share() == pytest.approx(2 * ((1 + 0.5**0.5) / 3) ** 2)
    monkeypatch.setattr("semalign.targets.supervision.MEASURED", 1)
    assert layer.mean_direction_share() == pytest.approx(0.5)  # (1, 0) and (0, 1)


def test_the_share_of_the_mean_direction_is_that_of_the_first_part_with_a_target(supervision, tmp_path, monkeypatch):
    monkeypatch.setattr("semalign.targets.supervision.MEASURED", 2)
    nothing, one, two = torch.zeros(0, 3), torch.tensor([[0.0, 0, 2]]), torch.tensor([[1.0, 0, 0], [0, 3, 0]])
    (layer,) = supervision.layers
    for number, (parts, expected) in enumerate(
        [
            ([nothing, two, one, one], 0.5),  # the first part has a target: it is measured
            ([nothing, nothing, nothing, two, one], 0.5),
            ([nothing, nothing, two, nothing, one], 0.5),
            ([nothing, nothing, nothing, nothing, one], 1.0),
        ]
    ):
        states = stored(tmp_path / str(number), [part.double() for part in parts])
        assert replace(layer, teacher_states=states).mean_direction_share() == pytest.approx(expected)


def test_positions_index_a_padded_batch():
    at = At.of([[0, 2], [], [1]], CPU)
    grid = torch.arange(9).reshape(3, 3)
    assert grid[at.rows, at.columns].tolist() == [0, 2, 7] and grid[at].tolist() == [0, 2, 7]
    assert len(At.of([[], []], CPU).rows) == 0


def test_texts_without_a_common_token_end_give_no_target(tokenizer):
    theirs = make_tokenizer(words=["ab", "cd"])
    (teacher,), (student,) = (encode([{"prompt": "x", "response": "y"}], each, 64) for each in (theirs, tokenizer))
    assert match_examples([teacher], [student], "response") == [Matched([0, 1], [0, 1])]
    nothing = replace(student, tokens=("a", "b", "c"), ends=(5, 6, 7))
    with pytest.raises(ValueError, match="no target can be made"):
        match_examples([teacher], [nothing], "response")
