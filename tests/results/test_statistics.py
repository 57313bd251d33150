import math

import numpy as np
import pytest
from scipy import stats

from semalign.results.statistics import holm, mean_interval, paired_bootstrap, ratio_interval, wilson_interval


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
