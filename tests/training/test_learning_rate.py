"""The learning rate over a run, against the formula, and where runs of two lengths agree."""

import pytest

from semalign.training.learning_rate import LinearDecay


def test_the_rate_rises_linearly_then_falls_towards_zero():
    rate = LinearDecay(8, 0.25)
    expected = [1 / 2, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert [rate.factor(step) for step in range(1, 9)] == pytest.approx(expected)
    assert [LinearDecay(4, 0).factor(step) for step in range(1, 5)] == [1, 0.75, 0.5, 0.25]


def test_runs_of_two_lengths_agree_in_warm_up_steps_only():
    short, long = LinearDecay(20, 0.1), LinearDecay(22, 0.1)  # two steps warm up in both
    assert short.agrees(long, 0) and short.agrees(long, 2) and long.agrees(short, 2)
    assert short.agrees(long, 3)  # the peak follows
    assert not short.agrees(long, 4)
    assert not short.agrees(LinearDecay(30, 0.1), 1)  # three steps warm up
    assert short.agrees(LinearDecay(20, 0.1), 20)


def test_a_longer_run_that_has_more_steps_than_this_one_does_not_agree():
    assert not LinearDecay(4, 0.9).agrees(LinearDecay(5, 0.9), 5)
