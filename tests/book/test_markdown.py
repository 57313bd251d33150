"""Tables and texts as the book shows them."""

import numpy as np
import pandas as pd

from semalign.book.markdown import commands, interval, nested_list, settings_text, table


def test_a_table_trims_decimals_and_keeps_its_columns_apart():
    frame = pd.DataFrame({"method": ["a|b", "c"], "score": [68.123, np.nan], "n": [500, 41]})
    lines = table(frame, "Scores.", "tab-scores", decimals=1)._repr_markdown_().splitlines()
    assert lines == [
        ":::{table} Scores.",
        ":name: tab-scores",
        "",
        "| method | score | n |",
        "| :-- | --: | --: |",
        "| a\\|b | 68.1 | 500 |",
        "| c | – | 41 |",
        ":::",
    ]


def test_numbers_read_well():
    assert interval(-0.04, -2.0, 3.0) == "0.0 [-2.0, 3.0]"
    assert interval(1.26, -0.01, 3.0, signed=True) == "+1.3 [+0.0, +3.0]"
    assert interval(2.0, float("nan"), float("nan")) == "2.0"


def test_settings_commands_and_lists_as_text():
    assert (
        settings_text({"learning_rate": 3e-5, "layers": 8.0, "map": "none"})
        == "learning_rate 3e-05, layers 8, map none"
    )
    assert commands("Run", "a", "b").text == "Run\n\n```sh\na\nb\n```"
    assert nested_list({"Who?": ["she", "he"]}) == "- **Who?**\n  - she\n  - he"
