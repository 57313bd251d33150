"""Pairing against the paper's formulas and hand-computed values."""

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semalign import pairing
from semalign.targets.pairing import LayerMap, interpolation, student_layer, teacher_layer

counts = st.integers(1, 100)


def test_the_papers_example_of_20_and_10_layers():
    assert [teacher_layer(k, 20, 10) for k in range(1, 11)] == [2 * k for k in range(1, 11)]


def test_llama_2_13b_and_7b():
    assert [teacher_layer(k, 40, 32) for k in range(1, 9)] == [1, 2, 3, 5, 6, 7, 8, 10]
    assert [student_layer(layer, 40, 32) for layer in (1, 4, 5, 9, 40)] == [1, 4, 4, 8, 32]
    assert interpolation(1, 40, 32) == (1, 2, 0.25)
    assert interpolation(4, 40, 32) == (5, 6, 0.0)
    assert interpolation(32, 40, 32) == (39, 40, 1.0)


def test_a_shallow_teacher_is_shared_and_clamped():
    assert [teacher_layer(k, 2, 5) for k in range(1, 6)] == [1, 1, 1, 1, 2]
    assert interpolation(1, 2, 5) == (1, 2, 0.0)  # u = 0.4 lies above layer 1


@given(counts, counts, st.data())
def test_formulas_as_written(n_teacher, n_student, data):
    k = data.draw(st.integers(1, n_student))
    critical = data.draw(st.integers(1, n_teacher))
    layers = {j: max(1, math.floor(n_teacher * j / n_student + 1e-9)) for j in range(1, n_student + 1)}
    assert teacher_layer(k, n_teacher, n_student) == layers[k]
    assert student_layer(critical, n_teacher, n_student) == min(
        (j for j, layer in layers.items() if layer >= critical), default=n_student
    )
    if n_teacher > 1:
        u = n_teacher * k / n_student
        a, b, lam = interpolation(k, n_teacher, n_student)
        assert a == max(1, min(math.floor(u + 1e-9), n_teacher - 1))
        assert b == a + 1
        assert lam == pytest.approx(min(max(u - a, 0), 1))


@given(counts, counts)
def test_the_map_keeps_order_and_ends_at_the_last_layer(n_teacher, n_student):
    layers = [layer for _, layer in LayerMap(n_teacher, n_student)]
    assert layers == sorted(layers)
    assert layers[-1] == n_teacher


def test_an_override_wins_and_moves_the_pair():
    layer_map = LayerMap(5, 4, {3: 4})
    assert list(layer_map) == [(1, 1), (2, 2), (3, 4), (4, 5)]
    assert layer_map.pair(4) == (4, 3)
    assert LayerMap(5, 4).pair(4) == (5, 4)
    assert "3        4" in str(layer_map)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: teacher_layer(0, 5, 4), r"student layer 0 .* 1\.\.4"),
        (lambda: teacher_layer(5, 5, 4), r"student layer 5 .* 1\.\.4"),
        (lambda: student_layer(6, 5, 4), r"teacher layer 6 .* 1\.\.5"),
        (lambda: interpolation(1, 1, 1), "at least two layers"),
        (lambda: LayerMap(5, 4, {1: 9}), r"teacher layer 9 .* 1\.\.5"),
        (lambda: LayerMap(0, 4), "must be positive"),
    ],
)
def test_impossible_layers_are_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_docstrings():
    assert doctest.testmod(pairing).failed == 0
