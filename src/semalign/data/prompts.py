"""Prompts for the analyses: texts that models only read."""

from pathlib import Path

from semalign.data.columns import check_columns
from semalign.data.row_files import is_row_file, read_file
from semalign.data.sources import dataset_rows
from semalign.data.tasks import chat_name, rows

HUMANEVAL = "openai/openai_humaneval"


def read_prompts(source: str | Path) -> list[str]:
    """Return prompts: those of a task's test split, of a file's ``prompt`` column, or of ``"humaneval"``.

    ``"humaneval"`` gives the raw prompts of the data set, which are code, without the words of the task file.

    Args:
        source: ``"humaneval"``, a task, or a file of rows (:func:`semalign.data.row_files.read_file`).

    Raises:
        FileNotFoundError: if the data are not there; the message says where they would be.
        ValueError: for an unknown task, one in the models' own chat format, or a row without a prompt.
    """
    if source != "humaneval" and not is_row_file(source):
        if chat_name(source) == "model":
            raise ValueError(
                f"{source} asks in each model's own chat format, so it has no prompts of its own: give a file of rows"
            )
        return [row["prompt"] for row in rows(source, "test")]
    found = dataset_rows(HUMANEVAL, None, "test") if source == "humaneval" else read_file(source)
    check_columns(found, {"prompt": "text"})
    return [row["prompt"] for row in found]
