import itertools
import math

import numpy as np
import pytest
from scipy import stats

from semalign.results.statistics import (
    holm,
    mean_interval,
    paired_bootstrap,
    ratio_interval,
    resampled,
    seeded_bootstrap,
    seeded_bootstraps,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (271, 1319), (93, 500)])
def test_wilson_agrees_with_scipy(successes, n):
    theirs = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_by_hand():
    # z² = 3.8415, so for 0 of 10 the interval is [0, z² / (10 + z²)] = [0, 3.8415 / 13.8415]
    assert wilson_interval(0, 10) == pytest.approx((0, 0.27753), abs=1e-5)
    # for half of n it is ½ ± ½ z / sqrt(n + z²)
    low, high = wilson_interval(50, 100)
    assert (low, high) == pytest.approx((0.5 - 0.98 / math.sqrt(103.84), 0.5 + 0.98 / math.sqrt(103.84)), abs=1e-4)


def test_wilson_has_narrower_ends_for_less_confidence():
    assert wilson_interval(5, 10, 0.5)[0] > wilson_interval(5, 10, 0.95)[0]


def test_wilson_refuses_what_is_no_proportion():
    for successes, n in [(0, 0), (3, 2), (-1, 2)]:
        with pytest.raises(ValueError, match="successes"):
            wilson_interval(successes, n)


def test_mean_interval_by_hand():
    # mean 2, s = 1, t_{2, .975} = 4.30265: half width 4.30265 / sqrt(3)
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 2 - 2.48414, 2 + 2.48414), abs=1e-5)


def test_mean_interval_agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=7)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval(values, 0.9)[1:] == pytest.approx((theirs.low, theirs.high))


def test_one_run_has_a_mean_and_no_interval():
    value, low, high = mean_interval([70.0])
    assert value == 70 and math.isnan(low) and math.isnan(high)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


def test_bootstrap_of_a_constant_difference_has_no_width():
    assert paired_bootstrap([1.0, 2.0, 3.0], [0.0, 1.0, 2.0]) == (1, 1, 1)


def test_bootstrap_agrees_with_scipy():
    rng = np.random.default_rng(1)
    easy = rng.random(400)
    ours, theirs = (rng.random(400) < easy).astype(float), (rng.random(400) < easy - 0.1).astype(float)
    value, low, high = paired_bootstrap(ours, theirs, resamples=20_000)
    reference = stats.bootstrap((ours - theirs,), np.mean, n_resamples=20_000, method="percentile", rng=rng)
    assert value == pytest.approx(np.mean(ours - theirs))
    assert (low, high) == pytest.approx(tuple(reference.confidence_interval), abs=4e-3)


def test_pairing_narrows_the_interval():
    easy = np.arange(400) % 2.0
    ours = np.where(np.arange(400) < 4, 1.0, easy)  # the same on 398 items
    paired = paired_bootstrap(ours, easy)
    shuffled = paired_bootstrap(ours, np.random.default_rng(0).permutation(easy))
    assert paired.high - paired.low < (shuffled.high - shuffled.low) / 5
    assert paired == paired_bootstrap(ours, easy)


def test_bootstrap_needs_the_same_items():
    for ours, theirs in [([1.0], [1.0, 0.0]), ([], [])]:
        with pytest.raises(ValueError, match="same items"):
            paired_bootstrap(ours, theirs)


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


def test_holm_by_hand():
    # sorted: .005 * 4, .01 * 3, .03 * 2, .04 * 1, none below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.7, 0.6, 0.8]) == [1, 1, 1]
    assert holm([]) == []


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = np.random.default_rng(6)
    for _ in range(50):
        p_values, alpha = rng.random(6) ** 3, rng.random() * 0.3
        rejected, m = set(), len(p_values)
        for step, i in enumerate(np.argsort(p_values)):
            if p_values[i] > alpha / (m - step):
                break
            rejected.add(int(i))
        assert {i for i, p in enumerate(holm(p_values.tolist())) if p <= alpha} == rejected


def test_the_interval_of_a_ratio_by_hand():
    # r = 6 / 4; residuals 1 - 1.5 and 5 - 4.5; sqrt(2 / 1 · (.25 + .25)) / 4 = 0.25
    assert ratio_interval([1, 5], [1, 3]) == pytest.approx((1.5, 1.5 - 1.959964 / 4, 1.5 + 1.959964 / 4), abs=1e-6)


def test_the_interval_of_a_ratio_with_equal_sizes_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(size=50)
    error = stats.sem(values) / 3
    found = ratio_interval(values, [3] * 50)
    assert found == pytest.approx((values.mean() / 3, *stats.norm.interval(0.95, values.mean() / 3, error)), abs=1e-12)


def test_a_ratio_needs_items_and_their_sizes():
    found = ratio_interval([2], [4])
    assert found.value == 0.5 and math.isnan(found.low) and math.isnan(found.high)
    for totals, sizes in (([], []), ([1], [1, 2])):
        with pytest.raises(ValueError, match="size for each item"):
            ratio_interval(totals, sizes)
