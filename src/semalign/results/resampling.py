"""Differences of two methods on the same items, each run with several seeds: the bootstrap over items and seeds."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

PART = 1000  # resamples whose weights are in memory at once


class Difference(NamedTuple):
    """A difference with the ends of its confidence interval and the p value of the null hypothesis that it is zero."""

    value: float
    low: float
    high: float
    p: float


class Resampled(NamedTuple):
    """The mean difference of two methods, and the same in each resample, shape (resamples,)."""

    value: float
    drawn: Float[ndarray, " resamples"]

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the ends of the percentile interval."""
        low, high = np.quantile(self.drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)

    def difference(self, confidence: float = 0.95) -> Difference:
        """Return the difference with its interval and p value; see :func:`seeded_bootstrap`."""
        beyond = (self.drawn <= 0, self.drawn >= 0)
        tails = [(1 + int(np.sum(side))) / (1 + len(self.drawn)) for side in beyond]
        return Difference(self.value, *self.interval(confidence), min(1.0, 2 * min(tails)))


Pair = tuple[Shaped[ndarray, "_ _"], Shaped[ndarray, "_ _"]]  # ours and theirs, each of shape (seeds, items)


def seeded_bootstrap(
    ours: Shaped[ndarray, "seeds items"],
    theirs: Shaped[ndarray, "other_seeds other_items"],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Return the mean difference of two methods on the same items, each run with several seeds.

    Every resample draws items, the same ones for both methods, so that an item's difficulty for both cancels. It also
    draws the seeds of each method, the same ones for all items, because a seed affects all items of a run. The
    interval is the percentile interval. ``p = 2 min(P(d* <= 0), P(d* >= 0))``, with one added to each count of
    resamples and to their number, so that p is never zero; p is below ``1 - confidence`` where the interval excludes
    zero. With S seeds, the variance over seeds is underestimated by the factor (S - 1) / S.

    Args:
        ours: scores of shape (seeds, items).
        theirs: scores of the same items in the same order, shape (other seeds, items); the number of seeds may differ.
        confidence: confidence level of the interval.
        resamples: number of resamples.
        seed: seed of the resampling.

    Raises:
        ValueError: if the two differ in their number of items, or if there is no item or no seed.
    """
    return seeded_bootstraps([(ours, theirs)], confidence=confidence, resamples=resamples, seed=seed)[0]


def seeded_bootstraps(
    pairs: Sequence[Pair], *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> list[Difference]:
    """Return :func:`seeded_bootstrap` of several pairs, ours and theirs, in less time; see :func:`resampled`."""
    return [each.difference(confidence) for each in resampled(pairs, resamples=resamples, seed=seed)]


def resampled(pairs: Sequence[Pair], *, resamples: int = 10_000, seed: int = 0) -> list[Resampled]:
    """Return for several pairs the differences in all resamples that :func:`seeded_bootstrap` draws.

    Pairs with as many items and seeds have the same draws, which are read once for all of them.

    Raises:
        ValueError: as :func:`seeded_bootstrap`, for the first pair that cannot be compared.
    """
    checked, alike = [_checked(*pair) for pair in pairs], defaultdict(list)
    for i, (ours, theirs) in enumerate(checked):
        alike[ours.shape[1], len(ours), len(theirs)].append(i)
    found: dict[int, ndarray] = {}
    for shape, chosen in alike.items():
        found |= zip(chosen, _differences([checked[i] for i in chosen], _draws(*shape, resamples, seed)), strict=True)
    return [Resampled(float(ours.mean() - theirs.mean()), found[i]) for i, (ours, theirs) in enumerate(checked)]


def enough(resamples: int, comparisons: int) -> int:
    """Return a number of resamples, at least 200 for each comparison.

    The smallest p value of R resamples is 2 / (R + 1), and Holm's correction multiplies it by the number of
    comparisons. With 200 for each it stays below 0.01, so that a difference can be shown however many there are.

    >>> enough(10_000, 6), enough(10_000, 240)
    (10000, 48000)
    """
    return max(resamples, 200 * comparisons)


def _checked(ours: ndarray, theirs: ndarray) -> tuple[ndarray, ndarray]:
    sides = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if sides[0].shape[1] != sides[1].shape[1] or 0 in (*sides[0].shape, *sides[1].shape):
        raise ValueError(f"both must score the same items, at least one: got {sides[0].shape} and {sides[1].shape}")
    return sides


@lru_cache(maxsize=8)  # a table compares many methods on the same items
def _draws(n: int, seeds: int, other_seeds: int, resamples: int, seed: int) -> list[list[ndarray]]:
    """Return how often each resample draws each item, each seed of one method and of the other, in parts.

    The arrays have the shapes (resamples, n), (resamples, seeds) and (resamples, other seeds).
    """
    rng, parts = np.random.default_rng(seed), []
    for start in range(0, resamples, PART):
        drawn = [
            rng.multinomial(k, np.full(k, 1 / k), size=min(PART, resamples - start)) for k in (n, seeds, other_seeds)
        ]
        parts.append([counts.astype(np.min_scalar_type(counts.max())) for counts in drawn])
    return parts


def _differences(
    pairs: Sequence[tuple[ndarray, ndarray]], draws: Sequence[Sequence[ndarray]]
) -> Float[ndarray, "pairs resamples"]:
    """Return the differences of the means of pairs of equal shapes in each resample, from how often it draws what.

    ``d_r = sum_i w_ri (sum_s v_rs ours_si / S - sum_s u_rs theirs_si / T) / n``, where resample r draws item i w_ri
    times, seed s of ours v_rs times, and that of theirs u_rs times. Zero up to rounding errors is zero.
    """
    columns, parts = np.concatenate([side for pair in pairs for side in pair]).T, []
    for items, *seeds in draws:
        sums = (items.astype(float) @ columns).reshape(len(items), len(pairs), -1)  # one product reads items once
        ours, theirs = (drawn / (drawn.shape[1] * len(columns)) for drawn in seeds)
        parts.append(np.einsum("rps,rs->pr", sums, np.concatenate([ours, -theirs], axis=1)))
    found = np.concatenate(parts, axis=1)
    found[np.abs(found) < 1e-12] = 0
    return found
