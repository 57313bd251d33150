"""Uncertainty of a score: over items (Wilson), over seeds (t), and of a difference (paired bootstrap)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from scipy.stats import norm, t


class Estimate(NamedTuple):
    """A mean or difference with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion ``p = successes / n``.

    ``(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)`` with z the normal quantile (Wilson 1927). It
    stays within [0, 1] and is sound at 0 and at n successes, where the normal approximation has no width.

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

    One run has no interval: its ends are not-a-number.
    """
    runs = np.asarray(values, dtype=float)
    if runs.ndim != 1 or runs.size == 0:
        raise ValueError(f"a mean needs a list of at least one value, got shape {runs.shape}")
    mean = float(runs.mean())
    if runs.size == 1:
        return Estimate(mean, float("nan"), float("nan"))
    half = float(t.ppf((1 + confidence) / 2, runs.size - 1) * runs.std(ddof=1) / np.sqrt(runs.size))
    return Estimate(mean, mean - half, mean + half)


def paired_bootstrap(
    ours: Shaped[ndarray, " items"] | Sequence[float | int],
    theirs: Shaped[ndarray, " items"] | Sequence[float | int],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Return the mean difference ``ours - theirs`` of the same items, with its bootstrap interval.

    Items are drawn with replacement, both scores of an item together, so what makes an item easy for both
    cancels; the interval is that of the percentiles (Efron 1979).

    Raises:
        ValueError: if the two do not score the same number of items, at least one.
    """
    difference = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float) if len(ours) == len(theirs) else None
    if difference is None or difference.size == 0:
        raise ValueError(f"both must score the same items, at least one: got {len(ours)} and {len(theirs)}")
    difference = np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)
    # A resample says how often each item was drawn; what matters is how often each level of difference was.
    levels, counts = np.unique(difference, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(difference.size, counts / difference.size, size=resamples)
    low, high = np.quantile(drawn @ levels / difference.size, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(difference.mean()), float(low), float(high))
