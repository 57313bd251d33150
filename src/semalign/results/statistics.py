"""Uncertainty of scores: over items (Wilson), over seeds (t), of differences (paired bootstrap), of many tests (Holm).

Differences of methods that were run with several seeds are in :mod:`semalign.results.resampling`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray
from scipy.stats import norm, rankdata, spearmanr, t

ALPHA = 0.05  # a difference whose corrected p value is below it counts as shown


class Estimate(NamedTuple):
    """A mean or difference with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion ``p = successes / n``.

    ``(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)`` with z the normal quantile (Wilson 1927). It
    stays within [0, 1] and remains valid for 0 and n successes, where the normal approximation has zero width.

    Raises:
        ValueError: if there are no items, or ``successes`` is outside 0..n.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"an interval needs 0 <= successes <= n and n >= 1, got {successes} of {n}")
    z, p = norm.ppf((1 + confidence) / 2), successes / n
    centre, spread = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (centre - spread) / (1 + z**2 / n), (centre + spread) / (1 + z**2 / n)
    return (float(low) if successes else 0.0), (float(high) if successes < n else 1.0)  # exact at the ends


def mean_interval(values: Shaped[ndarray, " runs"] | Sequence[float | int], confidence: float = 0.95) -> Estimate:
    """Return the mean over runs (seeds) with its t interval, ``mean ± t_{n-1} s / sqrt(n)``.

    The interval of a single run is NaN.

    Raises:
        ValueError: if there is no value.
    """
    runs = np.asarray(values, dtype=float)
    if runs.ndim != 1 or runs.size == 0:
        raise ValueError(f"a mean needs a list of at least one value, got shape {runs.shape}")
    mean = float(runs.mean())
    if runs.size == 1:
        return Estimate(mean, float("nan"), float("nan"))
    half = float(t.ppf((1 + confidence) / 2, runs.size - 1) * runs.std(ddof=1) / np.sqrt(runs.size))
    return Estimate(mean, mean - half, mean + half)


def ratio_interval(
    totals: Shaped[ndarray, " items"] | Sequence[float | int],
    sizes: Shaped[ndarray, " items"] | Sequence[float | int],
    confidence: float = 0.95,
) -> Estimate:
    """Return ``r = sum(totals) / sum(sizes)``, such as a loss a token over rows of many tokens, with its interval.

    ``r ± z sqrt(n / (n - 1) · sum((totals - r sizes)²)) / sum(sizes)`` with z the normal quantile: the rows are the
    sample, and their sizes vary with them (Cochran 1977, Section 6.3). The interval of a single item is NaN.

    Raises:
        ValueError: if the two differ in their number of items, or if there is no item.
    """
    found, weights = np.asarray(totals, dtype=float), np.asarray(sizes, dtype=float)
    if found.shape != weights.shape or found.size == 0:
        raise ValueError(f"a ratio needs a size for each item, at least one: got {len(totals)} and {len(sizes)}")
    ratio, n = float(found.sum() / weights.sum()), found.size
    if n == 1:
        return Estimate(ratio, float("nan"), float("nan"))
    error = np.sqrt(n / (n - 1) * np.square(found - ratio * weights).sum()) / weights.sum()
    half = float(norm.ppf((1 + confidence) / 2) * error)
    return Estimate(ratio, ratio - half, ratio + half)


def paired_bootstrap(
    ours: Shaped[ndarray, " items"] | Sequence[float | int],
    theirs: Shaped[ndarray, " items"] | Sequence[float | int],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Return the mean difference ``ours - theirs`` of the same items, with its bootstrap interval.

    Items are drawn with replacement, and both scores of an item are drawn together, so that an item's difficulty for
    both cancels. The interval is the percentile interval (Efron 1979).

    Raises:
        ValueError: if the two differ in their number of items, or if there is no item.
    """
    difference = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float) if len(ours) == len(theirs) else None
    if difference is None or difference.size == 0:
        raise ValueError(f"both must score the same items, at least one: got {len(ours)} and {len(theirs)}")
    # The mean of a resample depends only on how often each distinct difference is drawn. These counts are multinomial,
    # so that (resamples, levels) numbers replace (resamples, items).
    levels, counts = np.unique(difference, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(difference.size, counts / difference.size, size=resamples)
    low, high = np.quantile(drawn @ levels / difference.size, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(difference.mean()), float(low), float(high))


def rank_correlation(
    x: Float[ndarray, " pairs"], y: Float[ndarray, " pairs"], *, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Return Spearman's rank correlation of pairs with its 95% percentile bootstrap interval over the pairs.

    Resamples in which all x or all y are equal have no correlation and are left out.
    """
    drawn = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    ranks = [rankdata(side[drawn], axis=1) - (len(x) + 1) / 2 for side in (x, y)]  # of mean zero
    products = [(one * other).sum(1) for one, other in ((ranks[0], ranks[1]), (ranks[0],) * 2, (ranks[1],) * 2)]
    varied = (products[1] > 0) & (products[2] > 0)
    found = products[0][varied] / np.sqrt(products[1] * products[2])[varied]
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(float(spearmanr(x, y).statistic), float(low), float(high))


def bootstrap_interval(values: Shaped[ndarray, " items"] | Sequence[float | int], *, seed: int = 0) -> Estimate:
    """Return the mean over items with its 95% percentile bootstrap interval, for scores other than 0 and 1."""
    return paired_bootstrap(values, [0.0] * len(values), seed=seed)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for multiple testing (Holm 1979), in the order given.

    With ``p_(i)`` the i-th smallest of m values, the corrected value is ``max_{j <= i} min(1, (m - j + 1) p_(j))``.
    Rejecting all hypotheses with a corrected value of at most alpha keeps the probability of any false rejection at
    most alpha, for any dependence between the tests.
    """
    m, largest, corrected = len(p_values), 0.0, [0.0] * len(p_values)
    for rank, i in enumerate(sorted(range(m), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (m - rank) * p_values[i]))
        corrected[i] = largest
    return corrected
