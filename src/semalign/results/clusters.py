"""Rank correlation of points that come in clusters: its interval is over the clusters, not over the points."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.stats import rankdata

from semalign.results.statistics import Estimate


class Points(NamedTuple):
    """Points with two values each, and the cluster that each is of.

    Attributes:
        x: the first value.
        y: the second value.
        clusters: of each point; points of one cluster depend on each other.
    """

    x: Sequence[float]
    y: Sequence[float]
    clusters: Sequence[Hashable]


def clustered_rank_correlation(units: Sequence[Sequence[Points]], *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Return the mean of Spearman's rank correlations within groups, with its 95% bootstrap interval over clusters.

    Every resample draws clusters of each unit with replacement, the same ones for all groups of the unit, and takes
    all points of those that it draws. Values are ranked within their group, so that differences between groups do not
    count. Resamples in which all x or all y of a group are equal are left out. With few clusters the interval is
    coarse, and tends to be too narrow.

    Args:
        units: groups of points by unit.
        resamples: number of bootstrap resamples.
        seed: seed of the resampling.

    Raises:
        ValueError: if there is no group, or one whose x or y are all equal.
    """
    groups = [group for unit in units for group in unit]
    value = _mean([_correlation(group, np.arange(len(group.x))) for group in groups])
    if np.isnan(value):
        raise ValueError("a rank correlation needs at least one group, and values that differ in each")
    rng, drawn = np.random.default_rng(seed), []
    for unit in units:
        names = list(dict.fromkeys(name for group in unit for name in group.clusters))
        places = [[np.flatnonzero([of == name for of in group.clusters]) for name in names] for group in unit]
        draws = rng.integers(len(names), size=(resamples, len(names)))
        drawn += [_resampled(group, where, draws) for group, where in zip(unit, places, strict=True)]
    means = np.mean(drawn, axis=0)
    low, high = np.quantile(means[~np.isnan(means)], [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _resampled(group: Points, where: Sequence[ndarray], draws: ndarray) -> Float[ndarray, " resamples"]:
    """Return a group's correlation in each resample; those that draw each cluster as often are computed once."""
    counts, which = np.unique(np.sort(draws, axis=1), axis=0, return_inverse=True)
    found = [_correlation(group, np.concatenate([where[cluster] for cluster in draw])) for draw in counts]
    return np.array(found)[which.ravel()]


def _correlation(group: Points, chosen: ndarray) -> float:
    """Return Spearman's correlation of the chosen points; NaN if their x or their y are all equal."""
    if not len(chosen):
        return float("nan")
    x, y = (rankdata(np.asarray(side, dtype=float)[chosen]) for side in (group.x, group.y))
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else float("nan")
