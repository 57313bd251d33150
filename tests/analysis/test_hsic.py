"""CKA against its literal definitions, its invariances and a public package."""

import math

import pytest
import torch

from semalign.analysis.hsic import (
    MinibatchCKA,
    cka,
    gram,
    inner_products,
    median_bandwidth,
    squared_distances,
    u_centred,
)


def _normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _related(n=30, seed=0):
    """Two representations of the same n inputs, neither equal nor independent, far from the origin."""
    x = _normal(n, 7, seed=seed)
    y = x @ _normal(7, 5, seed=seed + 1) + 2 * _normal(n, 5, seed=seed + 2)
    return x + 3, y - 2


def _literal_gram(x, kernel, fraction=1.0):
    n = len(x)
    distances = [[math.dist(x[i].tolist(), x[j].tolist()) for j in range(n)] for i in range(n)]
    sigma = fraction * sorted(d for line in distances for d in line)[(n * n - 1) // 2]
    entry = {
        "linear": lambda i, j: sum(a * b for a, b in zip(x[i].tolist(), x[j].tolist(), strict=True)),
        "rbf": lambda i, j: math.exp(-(distances[i][j] ** 2) / (2 * sigma**2)),
    }[kernel]
    return [[entry(i, j) for j in range(n)] for i in range(n)]


def _literal_hsic1(k, l):  # noqa: E741
    """Song et al. (2012), entry by entry."""
    n = len(k)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    trace = sum(k[i][j] * l[j][i] for i, j in pairs)
    sums = sum(k[i][j] for i, j in pairs) * sum(l[i][j] for i, j in pairs)
    chain = sum(k[i][j] * l[j][m] for i, j in pairs for m in range(n) if m != j)
    return (trace + sums / ((n - 1) * (n - 2)) - 2 * chain / (n - 2)) / (n * (n - 3))


def _literal_cka(blocks, kernel):
    grams = [[_literal_gram(x, kernel) for x in pair] for pair in blocks]
    kl, kk, ll = (sum(_literal_hsic1(pair[a], pair[b]) for pair in grams) for a, b in ((0, 1), (0, 0), (1, 1)))
    return kl / math.sqrt(kk * ll)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_cka_is_the_literal_unbiased_one(kernel):
    x, y = _related(9)
    assert cka(x, y, kernel) == pytest.approx(_literal_cka([(x, y)], kernel), abs=1e-12)


def test_minibatches_average_hsic_and_not_cka():
    blocks = [_related(8, seed) for seed in (0, 10, 20)]
    measure = MinibatchCKA()
    for x, y in blocks:
        measure.add(x[None], y[None])
    assert float(measure.matrix()) == pytest.approx(_literal_cka(blocks, "linear"), abs=1e-12)
    assert measure.rows == 24


def test_rbf_keeps_the_bandwidth_of_the_first_minibatch():
    (x, y), (v, w) = _related(8), _related(8, 30)
    measure = MinibatchCKA("rbf", fraction=0.5)
    measure.add(x[None], y[None])
    measure.add(v[None], w[None])
    sums = [0.0, 0.0, 0.0]
    for a, b in ((x, y), (v, w)):
        k, l = (  # noqa: E741
            torch.exp(-squared_distances(rows[None])[0] / (2 * median_bandwidth(first[None], 0.5) ** 2)).tolist()
            for rows, first in ((a, x), (b, y))
        )
        sums = [s + _literal_hsic1(*pair) for s, pair in zip(sums, ((k, l), (k, k), (l, l)), strict=True)]
    assert float(measure.matrix()) == pytest.approx(sums[0] / math.sqrt(sums[1] * sums[2]), abs=1e-12)


def test_all_pairs_at_once_are_the_pairs_one_by_one():
    teacher, student = _normal(3, 12, 6), _normal(2, 12, 4, seed=1)
    for kernel in ("linear", "rbf"):
        measure = MinibatchCKA(kernel)
        measure.add(teacher, student)
        for i in range(3):
            for j in range(2):
                one = cka(teacher[i], student[j], kernel)
                assert float(measure.matrix()[i, j]) == pytest.approx(one, abs=1e-12)


def test_many_rows_approach_the_biased_formula():
    """Kornblith et al. (2019): ``|Y'X|_F^2 / (|X'X|_F |Y'Y|_F)`` of centred X, Y; the bias falls with n."""
    x, y = (rows - rows.mean(0) for rows in _related(1000))
    biased = (y.T @ x).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())
    assert cka(x, y) == pytest.approx(float(biased), abs=5e-3)
    few = [rows[:10] - rows[:10].mean(0) for rows in (x, y)]
    biased = (few[1].T @ few[0]).square().sum() / ((few[0].T @ few[0]).norm() * (few[1].T @ few[1]).norm())
    assert abs(cka(*few) - float(biased)) > 0.05


def test_small_case_by_hand():
    """Four points, K' and L' one edge each: the same edge gives CKA 1, edges that share a point -1/2, apart 1."""

    def hsic(a, b):
        edges = torch.zeros(2, 4, 4, dtype=torch.float64)
        for matrix, (i, j) in zip(edges, (a, b), strict=True):
            matrix[i, j] = matrix[j, i] = 1
        first, second = u_centred(edges)
        return float((first * second).sum()) / 4

    # trace 2 or 0, sums 2 * 2 / 6, chain 2, 1 or 0: HSIC_1 = (trace + 2/3 - chain) / 4
    assert hsic((0, 1), (0, 1)) == pytest.approx((2 + 2 / 3 - 2) / 4)
    assert hsic((0, 1), (0, 2)) == pytest.approx((0 + 2 / 3 - 1) / 4)
    assert hsic((0, 1), (2, 3)) == pytest.approx((0 + 2 / 3 - 0) / 4)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_invariances(kernel):
    x, y = _related()
    value = cka(x, y, kernel)
    rotation = torch.linalg.qr(_normal(7, 7, seed=5)).Q
    assert cka(x @ rotation, y, kernel) == pytest.approx(value, abs=1e-10)
    assert cka(100 * x, y / 100, kernel) == pytest.approx(value, abs=1e-10)
    assert cka(x + 50, y, kernel) == pytest.approx(value, abs=1e-9)
    assert cka(y, x, kernel) == pytest.approx(value, abs=1e-12)
    stretch = torch.diag(torch.tensor([9.0, 1, 1, 1, 1, 1, 1], dtype=torch.float64))
    assert abs(cka(x @ stretch, y, kernel) - value) > 0.02


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_of_a_representation_with_itself_it_is_one(kernel):
    x, _ = _related()
    assert cka(x, x, kernel) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_of_independent_data_it_is_zero_on_average(kernel):
    """With rows of 40 dimensions in minibatches of 20, where the biased estimate is far above zero."""
    measure = MinibatchCKA(kernel)
    values, biased = [], []
    for seed in range(60):
        x, y = _normal(1, 20, 40, seed=2 * seed), _normal(1, 20, 40, seed=2 * seed + 1)
        measure.add(x, y)
        values.append(cka(x[0], y[0], kernel))
        k, l = (g - g.mean(1, keepdim=True) - g.mean(2, keepdim=True) + g.mean() for g in map(inner_products, (x, y)))  # noqa: E741
        biased.append(float((k * l).sum() / (k.norm() * l.norm())))
    mean = sum(values) / len(values)
    error = torch.tensor(values).std().item() / math.sqrt(len(values))
    assert abs(mean) < 3 * error < 0.1
    assert abs(float(measure.matrix())) < 0.05
    assert min(biased) > 0.5


def test_a_far_mean_costs_no_accuracy():
    """Centring first: with float32 rows a million from the origin, the linear kernel itself would cancel."""
    x, y = (rows.float() for rows in _related())
    moved = x.double() + 1e6
    assert cka(moved, y) == pytest.approx(cka(x, y), abs=1e-6)


def test_bandwidth_is_a_fraction_of_the_median_distance():
    x, _ = _related(6)
    for fraction in (0.5, 1.0):
        literal = torch.tensor(_literal_gram(x, "rbf", fraction), dtype=torch.float64)
        torch.testing.assert_close(1 + gram(x[None], "rbf", median_bandwidth(x[None], fraction))[0], literal)
    torch.testing.assert_close(gram(x[None], "rbf"), gram(x[None], "rbf", median_bandwidth(x[None])))


def test_constant_layer_has_no_cka():
    _, y = _related()
    for kernel in ("linear", "rbf"):
        assert math.isnan(cka(torch.ones(30, 3, dtype=torch.float64), y, kernel))


def test_bad_input_is_refused():
    x, y = _related(3)
    with pytest.raises(ValueError, match="at least 4"):
        cka(x, y)
    with pytest.raises(ValueError, match="unknown kernel"):
        MinibatchCKA("cosine")
    with pytest.raises(ValueError, match="positive"):
        MinibatchCKA("rbf", 0.0)
    with pytest.raises(ValueError, match="no minibatch"):
        MinibatchCKA().matrix()


def test_agrees_with_ckatorch():
    ckatorch = pytest.importorskip("ckatorch", reason="ckatorch, the public package to compare with, is not installed")
    blocks = [_related(12, seed) for seed in (0, 10, 20)]
    measure = MinibatchCKA()
    for x, y in blocks:
        measure.add(x[None], y[None])
    theirs = ckatorch.cka_batch(*(torch.stack(side) for side in zip(*blocks, strict=True)))
    assert float(measure.matrix()) == pytest.approx(float(theirs), abs=1e-12)
    for fraction in (0.4, 1.0):
        for kernel in ("linear", "rbf"):
            theirs = ckatorch.cka_base(*blocks[0], kernel=kernel, unbiased=True, threshold=fraction)
            assert cka(*blocks[0], kernel, fraction) == pytest.approx(float(theirs), abs=1e-12)
