"""The text of a notebook apart from its code: where only the text has changed, what the code printed still holds.

Text are the Markdown cells and what Jupytext writes beside a cell: tags, captions and descriptions of figures.
"""

from typing import Any

from nbformat import NotebookNode

RUN = ("execution", "papermill")  # what a run adds to the metadata of a cell
SPACE = "lines_to_next_cell"  # Jupytext's note of empty lines


def code_of(notebook: NotebookNode) -> list[str]:
    """Return the code of each code cell."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def text_of(notebook: NotebookNode) -> list[Any]:
    """Return of each cell its kind, its metadata and, unless it is code, its text."""
    return [
        (cell.cell_type, _beside(cell), None if cell.cell_type == "code" else cell.source) for cell in notebook.cells
    ]


def _beside(cell: NotebookNode) -> dict[str, Any]:
    return {name: value for name, value in cell.metadata.items() if name != SPACE}


def with_text(executed: NotebookNode, source: NotebookNode) -> NotebookNode:
    """Return an executed notebook with the text of its source, whose code it has run.

    Args:
        executed: the notebook as papermill leaves it: after the cell of the parameters stands one that repeats them.
        source: the notebook as it is now.

    Raises:
        ValueError: if the code is another one.
    """
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    injected = [cell for cell in ran if "injected-parameters" in cell.metadata.get("tags", [])]
    own = [cell for cell in ran if cell not in injected]
    if [cell.source for cell in own] != code_of(source):
        raise ValueError("The notebook was run with other code.")
    of_code, cells = iter(own), []
    for cell in source.cells:
        cells.append(_told(next(of_code), cell) if cell.cell_type == "code" else cell)
        if "parameters" in cell.metadata.get("tags", []):
            cells += [_with(each, {"tags": ["injected-parameters"]}) for each in injected]
    return NotebookNode(executed | {"cells": cells})


def _told(ran: NotebookNode, cell: NotebookNode) -> NotebookNode:
    """Return a cell that was run, with what its source now says beside the code."""
    return _with(ran, {**_beside(cell), **{name: ran.metadata[name] for name in RUN if name in ran.metadata}})


def _with(cell: NotebookNode, metadata: dict[str, Any]) -> NotebookNode:
    return NotebookNode(cell | {"metadata": NotebookNode(metadata)})


def show_one_parameters_cell(notebook: NotebookNode) -> None:
    """Hide the injected parameters if they repeat the defaults, else the defaults that they replace."""
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    defaults, injected = tagged["parameters"], tagged["injected-parameters"]
    repeats = set(injected.source.splitlines()[1:]) <= set(defaults.source.splitlines())
    (injected if repeats else defaults).metadata.tags.append("remove-cell")
