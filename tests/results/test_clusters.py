"""Rank correlations over clusters, against Spearman's by SciPy and resamples that are counted by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from semalign.results.clusters import Points, clustered_rank_correlation

X, Y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 1.0, 4.0, 3.0, 9.0, 5.0]


def test_one_group_has_spearmans_correlation_ties_included():
    for y in (Y, [1.0, 1.0, 2.0, 3.0, 3.0, 0.0]):
        found = clustered_rank_correlation([[Points(X, y, "aabbcc")]], resamples=200)
        assert found.value == pytest.approx(spearmanr(X, y).statistic)
        assert found.low <= found.value <= found.high


def test_groups_are_ranked_apart_and_averaged():
    """Together the two groups correlate above zero; within one the order is the same, within the other reversed."""
    near, far = Points([1, 2, 3], [1, 2, 3], "abc"), Points([101, 102, 103], [103, 102, 101], "abc")
    for units in ([[near, far]], [[near], [far]]):
        assert clustered_rank_correlation(units, resamples=50).value == pytest.approx(0.0)
    assert clustered_rank_correlation([[near], [near]], resamples=50).value == pytest.approx(1.0)


def test_whole_clusters_are_drawn():
    """In cluster a the order is the same, in b it is reversed: three of four draws of two clusters decide the ends."""
    points = Points([1, 2, 11, 12], [1, 2, 12, 11], "aabb")
    found = clustered_rank_correlation([[points]], resamples=4000)
    assert (found.low, found.value, found.high) == pytest.approx((-1.0, 0.8, 1.0))


def test_groups_of_a_unit_draw_the_same_clusters():
    """A group and its mirror image cancel in every resample, unless each draws clusters of its own."""
    points = Points([1, 2, 11, 12], [1, 2, 12, 11], "aabb")
    mirrored = points._replace(y=[-y for y in points.y])
    together = clustered_rank_correlation([[points, mirrored]], resamples=500)
    assert together == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    apart = clustered_rank_correlation([[points], [mirrored]], resamples=500)
    assert apart.low < 0 < apart.high


def test_the_interval_of_clusters_is_wider_than_that_of_points():
    rng = np.random.default_rng(0)
    x, y = (np.repeat(side, 10) + rng.normal(0, 0.01, 60) for side in (rng.normal(size=6), rng.normal(size=6)))
    clusters = np.repeat(np.arange(6), 10).tolist()
    wide = clustered_rank_correlation([[Points(x.tolist(), y.tolist(), clusters)]])
    narrow = clustered_rank_correlation([[Points(x.tolist(), y.tolist(), range(60))]])
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert wide == clustered_rank_correlation([[Points(x.tolist(), y.tolist(), clusters)]])


@pytest.mark.parametrize("units", [[], [[]], [[Points([], [], [])]], [[Points([1, 2], [3, 3], "ab")]]])
def test_values_that_do_not_differ_have_no_correlation(units):
    with pytest.raises(ValueError, match="needs at least one group, and values that differ in each"):
        clustered_rank_correlation(units)
