"""Items from lm-eval's log, their groups and intervals."""

import pytest

from semalign.evaluation.items import interval
from semalign.results.statistics import wilson_interval


def test_scores_that_are_all_alike_have_an_interval_too():
    assert interval([0.0] * 164) == pytest.approx(wilson_interval(0, 164))
    assert interval([1.0] * 9) == pytest.approx(wilson_interval(9, 9))
    assert interval([0.5, 0.0] * 30)[0] > 0
