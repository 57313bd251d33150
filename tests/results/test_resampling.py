"""Differences over items and seeds, beside literal formulas and an enumeration of all resamples."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from semalign.results.resampling import resampled, seeded_bootstrap, seeded_bootstraps
from semalign.results.statistics import paired_bootstrap


def every_resample(ours, theirs):
    """The difference in every resample of items and seeds, each as likely as any other."""
    n, found = ours.shape[1], []
    for items in itertools.product(range(n), repeat=n):
        for seeds in itertools.product(range(len(ours)), repeat=len(ours)):
            for others in itertools.product(range(len(theirs)), repeat=len(theirs)):
                found.append(ours[list(seeds)][:, list(items)].mean() - theirs[list(others)][:, list(items)].mean())
    return np.array(found)


def test_seeded_bootstrap_draws_what_an_enumeration_of_all_resamples_has():
    ours, theirs = np.array([[1.0, 0, 1], [1, 1, 1]]), np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    found, exact = seeded_bootstrap(ours, theirs, resamples=40_000), every_resample(ours, theirs)
    assert found.value == pytest.approx(5 / 6 - 3 / 9)
    exact[np.abs(exact) < 1e-12] = 0
    p = 2 * min(np.mean(exact <= 0), np.mean(exact >= 0))
    assert found.p == pytest.approx(p, abs=0.01)
    assert found.low == pytest.approx(np.quantile(exact, 0.025), abs=0.07)
    assert found.high == pytest.approx(np.quantile(exact, 0.975), abs=0.07)


def test_the_draws_that_comparisons_share_are_those_of_a_generator_of_their_own():
    scores = np.random.default_rng(2).random((3, 2, 7))
    for ours, theirs in [(scores[0], scores[1]), (scores[0], scores[2]), (scores[1], scores[2][:1])]:
        rng, drawn = np.random.default_rng(0), []
        for part in (1000, 500):
            items = rng.multinomial(7, np.full(7, 1 / 7), size=part) / 7
            means = []
            for side in (ours, theirs):
                seeds = rng.multinomial(len(side), np.full(len(side), 1 / len(side)), size=part) / len(side)
                means.append(np.einsum("rs,si,ri->r", seeds, side, items))
            drawn.extend(means[0] - means[1])
        found = seeded_bootstrap(ours, theirs, resamples=1500)
        assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-12)


def test_several_pairs_have_the_numbers_of_the_formula_whatever_their_numbers_of_seeds_and_items():
    rng, shapes = np.random.default_rng(7), [(3, 2, 7), (1, 4, 7), (3, 2, 7), (3, 2, 5)]
    pairs = [(100.0 * (rng.random((s, n)) < 0.7), rng.normal(60, 9, (t, n))) for s, t, n in shapes]
    for (ours, theirs), found in zip(pairs, seeded_bootstraps(pairs, resamples=1200), strict=True):
        draws, drawn, n = np.random.default_rng(0), [], ours.shape[1]
        for part in (1000, 200):
            items = draws.multinomial(n, np.full(n, 1 / n), size=part) / n
            means = []
            for side in (ours, theirs):
                seeds = draws.multinomial(len(side), np.full(len(side), 1 / len(side)), size=part) / len(side)
                means.append(np.einsum("rs,si,ri->r", seeds, side, items))
            drawn.extend(means[0] - means[1])
        tails = [(1 + sum(sign * d <= 1e-12 for d in drawn)) / 1201 for sign in (1, -1)]
        expected = (ours.mean() - theirs.mean(), *np.quantile(drawn, [0.025, 0.975]), min(1, 2 * min(tails)))
        assert found == pytest.approx(expected, rel=0, abs=1e-12)
        assert found == pytest.approx(seeded_bootstrap(ours, theirs, resamples=1200), rel=0, abs=1e-12)
    assert seeded_bootstraps([]) == []


def test_intervals_of_two_levels_come_from_the_same_resamples():
    ours, theirs = np.random.default_rng(8).random((2, 3, 40))
    (drawn,) = resampled([(ours, theirs)], resamples=1500)
    for level in (0.9, 0.95):
        alone = seeded_bootstrap(ours, theirs, confidence=level, resamples=1500)
        assert drawn.difference(level) == alone and drawn.interval(level) == (alone.low, alone.high)


def test_one_seed_each_is_the_paired_bootstrap():
    rng = np.random.default_rng(3)
    ours, theirs = (rng.random((1, 300)) < 0.6).astype(float), (rng.random((1, 300)) < 0.5).astype(float)
    value, low, high, p = seeded_bootstrap(ours, theirs, resamples=20_000)
    assert (value, low, high) == pytest.approx(paired_bootstrap(ours[0], theirs[0], resamples=20_000), abs=6e-3)
    # The normal approximation, z = mean / standard error, with half a step of 1/300 taken off for ties at zero.
    d = (ours - theirs)[0]
    z = (abs(d.mean()) - 0.5 / 300) / (d.std() / math.sqrt(300))
    assert p == pytest.approx(2 * stats.norm.sf(z), abs=0.01)


@pytest.mark.slow
def test_the_spread_over_seeds_widens_the_interval_as_the_two_variances_say():
    rng = np.random.default_rng(4)
    level = np.array([0.2, 0.5, 0.8])[:, None]
    ours, theirs = (rng.random((3, 2000)) < level).astype(float), (rng.random((3, 2000)) < 0.5).astype(float)
    found = seeded_bootstrap(ours, theirs)
    over_items = ((ours.mean(0) - theirs.mean(0)).var()) / 2000
    over_seeds = ours.mean(1).var() / 3 + theirs.mean(1).var() / 3
    normal = 2 * 1.96 * math.sqrt(over_items + over_seeds)
    assert found.high - found.low == pytest.approx(normal, rel=0.15)
    averaged = paired_bootstrap(ours.mean(0), theirs.mean(0))
    assert found.high - found.low > 3 * (averaged.high - averaged.low)


def test_equal_methods_differ_by_nothing_and_certain_ones_for_certain():
    same = np.array([[1.0, 0, 1, 0]])
    assert seeded_bootstrap(same, same) == (0, 0, 0, 1)
    found = seeded_bootstrap(np.ones((2, 5)), np.zeros((2, 5)), resamples=999)
    assert found == pytest.approx((1, 1, 1, 2 / 1000))


@pytest.mark.slow
def test_p_is_below_five_percent_where_the_interval_leaves_out_zero():
    rng = np.random.default_rng(5)
    for shift in np.linspace(0, 0.2, 9):
        ours, theirs = (rng.random((2, 200)) < 0.5 + shift).astype(float), (rng.random((2, 200)) < 0.5).astype(float)
        found = seeded_bootstrap(ours, theirs, resamples=4000)
        if abs(found.p - 0.05) > 0.005:
            assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_seeded_bootstrap_needs_the_same_items():
    for ours, theirs in [(np.ones((1, 3)), np.ones((1, 4))), (np.ones((1, 0)), np.ones((1, 0)))]:
        with pytest.raises(ValueError, match="same items"):
            seeded_bootstrap(ours, theirs)
        with pytest.raises(ValueError, match="same items"):
            seeded_bootstraps([(np.ones((1, 3)), np.ones((2, 3))), (ours, theirs)])
