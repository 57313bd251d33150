"""Figures of chapters 2 to 8 on small frames: what is drawn where."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import LogNorm

from semalign.book import figures
from semalign.book.figures.attribution import scaled
from semalign.book.figures.pairing import ORANGE, project, spread_plane
from semalign.book.figures.scores import errors
from semalign.book.figures.similarity import CONTROLS
from semalign.book.stacked import WIDTH, narrow_form
from semalign.experiments.profiles import load_profile
from semalign.targets.pairing import LayerMap


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def assert_names_are_apart(names):
    names[0].figure.canvas.draw()
    boxes = [name.get_window_extent() for name in names]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


@pytest.fixture(scope="module")
def profile():
    return load_profile("micro")


def test_curves_of_each_interface_have_a_panel():
    lines = [
        (interface, layer, basis, 0.1 * layer, 0.2 * layer)
        for interface in ("attention", "mlp", "residual", "layer", "final")
        for layer in (1, 2)
        for basis in ("output", "input", "random", "random-64")
    ]
    curves = pd.DataFrame(lines, columns=["interface", "layer", "basis", "cosine", "mean_share"])
    figure = figures.resultant_cosines(curves)
    titles = ["attention output", "MLP output", "layer's contribution", "layer output"]
    assert [axis.get_title() for axis in figure.axes] == titles
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[1, 0.1], [2, 0.2]]
    plt.close("all")
    axis = figures.mean_shares(curves)
    assert [text.get_text() for text in axis.get_legend().texts] == titles
    assert axis.lines[0].get_ydata().tolist() == [0.2, 0.4]


@pytest.fixture
def attributions():
    lines = [
        (task, interface, aggregation, layer, sign * layer)
        for task in ("a", "b")
        for interface in ("mlp", "layer")
        for aggregation, sign in (("absolute", 1.0), ("signed", -1.0))
        for layer in (1, 2, 4)
    ]
    return pd.DataFrame(lines, columns=["task", "interface", "aggregation", "layer", "score"])


def test_attribution_is_scaled_to_the_largest_size_of_a_task(attributions):
    assert scaled(attributions, "signed").loc["b"].tolist() == [-0.25, -0.5, -1.0]
    figure = figures.attribution_maps(attributions)
    assert [axis.get_title() for axis in figure.axes[:2]] == ["absolute, logarithmic scale", "signed"]
    assert isinstance(figure.axes[0].collections[0].norm, LogNorm)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.25", "0.50", "1.00"] * 2
    assert figure.axes[1].texts[0].get_text() == "−0.25"


def test_on_a_phone_layers_are_the_rows_of_attribution(attributions):
    wide = figures.attribution_maps(attributions)
    narrow = narrow_form(wide)
    assert narrow.get_figwidth() == WIDTH < wide.get_figwidth()
    assert [text.get_text() for text in narrow.axes[0].texts] == ["0.25"] * 2 + ["0.50"] * 2 + ["1.00"] * 2
    assert [axis.get_ylabel() for axis in narrow.axes[:2]] == ["teacher layer"] * 2
    assert_names_are_apart(narrow.axes[0].get_xticklabels())


def test_tokens_are_of_three_kinds():
    assert figures.kinds_of(["Ġ7", "3", "Ġthe", "+", "s"]) == [
        "digit next", "digit next", "word next", "other", "other",
    ]  # fmt: skip


def test_states_keep_their_distances_on_the_plane_of_their_spread():
    angles = torch.tensor([0.0, 0.3, 0.7, 2.0], dtype=torch.float64)
    states = torch.stack([5 * torch.cos(angles), 5 * torch.sin(angles), torch.zeros(4), torch.zeros(4)], dim=1)
    found = project(states, spread_plane(states))
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(4))
    assert np.linalg.norm(found[0] - found[1]) == pytest.approx(2 * np.sin(0.15))


def test_pairs_are_joined_and_the_chosen_one_is_marked():
    torch.manual_seed(0)
    states, targets, before, after = torch.randn(6, 5), *torch.randn(3, 6, 4)
    clouds = figures.clouds(states, targets, before, after)
    assert list(clouds) == ["teacher", "targets", "before", "after"]
    table = figures.cloud_table(clouds, ["other"] * 6)
    assert len(table) == 24
    figure = figures.layer_pairs(LayerMap(4, 3), [1.0, 2.0, 3.0, 4.0], 2, table)
    lines = figure.axes[0].lines
    assert [line.get_color() == ORANGE for line in lines] == [False, True, False]
    assert [line.get_ydata()[0] for line in lines] == [layer for _, layer in LayerMap(4, 3)]
    steps = ["2a. teacher states, layer 2", "2b. targets; student before", "3. targets; student layer 2 + Δ"]
    assert [axis.get_title() for axis in figure.axes[1:4]] == steps
    drawn = [collection.get_offsets().tolist() for collection in figure.axes[3].collections]
    assert drawn[2] == clouds["targets"].tolist() and drawn[5] == clouds["after"].tolist()


def test_losses_are_drawn_from_step_one():
    losses = figures.loss_table([{"layer": 1.0, "output": 0.9}, {"layer": 0.5, "output": 0.8}])
    assert losses["step"].tolist() == [1, 2]
    axis = figures.training_losses(losses)
    assert axis.lines[0].get_xydata().tolist() == [[1, 1.0], [2, 0.5]]
    assert axis.get_ylabel() == "1 − cosine"


def summary(*lines):
    return pd.DataFrame(lines, columns=["method", "teacher", "student", "task", "value", "low", "high"])


def test_the_ends_of_an_interval_become_lengths():
    below, above = errors(summary(["a", "t", "s", "m", 5.0, 3.0, 9.0], ["a", "t", "s", "m", 5.0, 5.5, 5.0]))
    assert below.tolist() == [2.0, 0.0] and above.tolist() == [4.0, 0.0]


@pytest.fixture
def gaps():
    return summary(
        ["none", None, "micro-student", "micro_mmlu", 30.0, 26.0, 34.0],
        ["none", None, "micro-teacher", "micro_mmlu", 60.0, 56.0, 64.0],
        ["seeking", "micro-teacher", "micro-student", "micro_mmlu", 40.0, 39.0, 41.0],
        ["seeking", "micro-coder", "micro-student", "micro_mmlu", 99.0, 98.0, 99.0],
        ["ridge", "micro-teacher", "micro-student", "micro_mmlu", 35.0, 34.0, 36.0],
    )


def test_scores_of_student_transfers_and_general_teacher_are_drawn(profile, gaps):
    figure = figures.gap_to_teacher(profile, gaps)
    (axis,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].texts] == ["student", "Seeking", "teacher"]
    assert [container.lines[0].get_ydata()[0] for container in axis.containers] == [30.0, 40.0, 60.0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["MMLU", "GSM8K", "HumanEval", "MBPP"]


def test_on_a_phone_the_scores_of_a_task_are_below_those_of_the_one_before(profile, gaps):
    narrow = narrow_form(figures.gap_to_teacher(profile, gaps))
    (axis,) = narrow.axes
    assert narrow.get_figwidth() == WIDTH and axis.yaxis_inverted()
    assert [container.lines[0].get_xdata()[0] for container in axis.containers] == [30.0, 40.0, 60.0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["MMLU", "GSM8K", "HumanEval", "MBPP"]
    narrow.canvas.draw()
    assert narrow.legends[0].get_window_extent().width <= narrow.bbox.width


def test_differences_from_the_general_teacher_are_drawn(profile):
    columns = ["teacher", "task", "minus", "difference", "low", "high"]
    lines = [
        ["micro-teacher", "micro_mmlu", "sft", -2.0, -3.0, -1.0],
        ["micro-teacher", "micro_mmlu", "none", 1.0, 0.0, 2.0],
    ]
    lines.append(["micro-coder", "micro_mmlu", "laten", 9.0, 8.0, 10.0])
    axes = figures.differences(profile, pd.DataFrame(lines, columns=columns)).axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["student as it is", "sft"]
    assert axes[0].containers[0].lines[0].get_xdata().tolist() == [1.0, -2.0]
    assert [axis.get_title() for axis in axes] == ["MMLU", "GSM8K", "HumanEval", "MBPP"]


def test_similarities_have_kernels_as_rows_and_rings_on_the_pairs():
    lines = [
        (condition, states, kernel, layer, k, layer / (8 if kernel == "rbf" else 4))
        for condition in ("permuted", "after", "before")
        for states in ("raw", "unit")
        for kernel in ("linear", "rbf")
        for layer in (1, 2, 3, 4)
        for k in (1, 2)
    ]
    similarities = pd.DataFrame(
        lines, columns=["condition", "states", "kernel", "teacher_layer", "student_layer", "cka"]
    )
    axes = figures.layer_similarity(similarities, "raw").axes[:4]
    titles = [f"{when} alignment, {kernel}" for kernel in ("linear", "RBF") for when in ("before", "after")]
    assert [axis.get_title() for axis in axes] == titles
    assert axes[0].images[0].get_array()[:, 0].tolist() == [0.25, 0.5, 0.75, 1.0]
    assert [axis.images[0].get_clim() for axis in axes[1:3]] == [(0.25, 1.0), (0.125, 0.5)]
    assert axes[0].collections[-1].get_offsets().tolist() == [list(pair) for pair in LayerMap(4, 2)]
    controls = figures.layer_similarity(similarities, "raw", CONTROLS).axes[:2]
    assert [axis.get_title() for axis in controls] == ["permuted atoms, linear", "permuted atoms, RBF"]
