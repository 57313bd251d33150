"""The text of a notebook: what counts as text, and how it replaces that of an executed notebook."""

import jupytext
import pytest
from nbformat.v4 import new_output

from semalign.book.notebook_text import code_of, show_one_parameters_cell, text_of, with_text

SOURCE = """# %% [markdown]
# Title

# %% tags=["parameters"]
profile = "micro"

# %% [markdown]
# Words.

# %% mystnb={"figure": {"caption": "Old."}}
print(1)
"""


def read(text):
    return jupytext.reads(text, fmt="py:percent")


def executed():
    """The source as papermill leaves it: with times, outputs and a second cell of parameters."""
    notebook = read(SOURCE)
    injected = read('# %% tags=["injected-parameters"]\n# Parameters\nprofile = "micro"\n').cells[0]
    notebook.cells.insert(2, injected)
    for number, cell in enumerate(notebook.cells):
        cell.metadata["papermill"] = {"duration": number}
    notebook.cells[-1].outputs = [new_output("stream", text="1")]
    show_one_parameters_cell(notebook)
    return notebook


def test_code_and_text_are_told_apart():
    captioned = read(SOURCE.replace("Old.", "New."))
    assert code_of(captioned) == code_of(read(SOURCE)) == ['profile = "micro"', "print(1)"]
    assert text_of(captioned) != text_of(read(SOURCE)) == text_of(read(SOURCE))
    coded = read(SOURCE.replace("print(1)", "print(2)"))
    assert text_of(coded) == text_of(read(SOURCE)) and code_of(coded) != code_of(read(SOURCE))


def test_an_executed_notebook_takes_the_text_of_its_source_and_keeps_its_outputs():
    told = SOURCE.replace("Words.", "Other words.").replace("Old.", "New.") + "\n# %% [markdown]\n# End.\n"
    notebook = with_text(executed(), read(told))
    show_one_parameters_cell(notebook)
    assert [cell.source for cell in notebook.cells] == [
        "Title", 'profile = "micro"', '# Parameters\nprofile = "micro"', "Other words.", "print(1)", "End.",
    ]  # fmt: skip
    printed = notebook.cells[4]
    assert printed.metadata == {"mystnb": {"figure": {"caption": "New."}}, "papermill": {"duration": 4}}
    assert [output.text for output in printed.outputs] == ["1"]
    assert [cell.metadata.get("tags") for cell in notebook.cells[1:3]] == [
        ["parameters"], ["injected-parameters", "remove-cell"],
    ]  # fmt: skip
    with_text(notebook, read(SOURCE))  # once more


@pytest.mark.parametrize("old, new", [("print(1)", "print(2)"), ("print(1)", "print(1)\n\n# %%\nprint(1)")])
def test_other_code_is_refused(old, new):
    with pytest.raises(ValueError, match="run with other code"):
        with_text(executed(), read(SOURCE.replace(old, new)))
    with pytest.raises(ValueError, match="run with other code"):
        with_text(executed(), read(SOURCE[: SOURCE.index("# %% mystnb")]))
