"""The figure of sizes and operations on a small frame: what is drawn where."""

import matplotlib.pyplot as plt
import pandas as pd

from semalign.book.figures.medium import sizes_and_operations


def test_sizes_are_left_and_operations_right_with_a_row_of_panels_for_each_table():
    table = pd.DataFrame(
        [["MMLU", 1.0, 8.0, 3.0], ["MBPP", 2.0, 9.0, 4.0]], columns=["data", "targets, MB", "logits, MB", "map, GFLOP"]
    )
    figure = sizes_and_operations({"one": table, "two": table.iloc[:1]})
    assert [axis.get_title() for axis in figure.axes] == ["one", "one", "two", "two"]
    sizes, operations = figure.axes[:2]
    found = [{line.get_label(): line.get_xdata().tolist() for line in axis.lines} for axis in (sizes, operations)]
    assert found == [{"targets": [1e6, 2e6], "logits": [8e6, 9e6]}, {"map": [3e9, 4e9]}]
    assert [axis.xaxis.get_major_formatter()(2e6) for axis in (sizes, operations)] == ["2 MB", "2 M"]
    assert all([text.get_text() for text in axis.get_yticklabels()] == ["MMLU", "MBPP"] for axis in (sizes, operations))
    assert {axis.get_xscale() for axis in figure.axes} == {"log"} and sizes.yaxis_inverted()
    plt.close(figure)
