"""Prompts for the analyses: texts that models only read."""

from pathlib import Path

from semalign.data.sources import dataset_rows, read_file
from semalign.data.tasks import rows

HUMANEVAL = "openai/openai_humaneval"


def read_prompts(source: str | Path) -> list[str]:
    """Return prompts: those of a task's test split, of a file's ``prompt`` column, or of ``"humaneval"``.

    ``"humaneval"`` gives the raw prompts of the data set, which are code, without the words of the task file.

    Args:
        source: ``"humaneval"``, a task, or a JSONL or Parquet file.

    Raises:
        FileNotFoundError: if the data are not there; the message says where they would be.
        ValueError: for an unknown task or a row without a prompt.
    """
    if source == "humaneval":
        return [row["prompt"] for row in dataset_rows(HUMANEVAL, None, "test")]
    if Path(source).suffix not in (".jsonl", ".parquet"):
        return [row["prompt"] for row in rows(source, "test")]
    found = read_file(source)
    if missing := [number for number, row in enumerate(found, start=1) if "prompt" not in row]:
        raise ValueError(f"{source}: row {missing[0]} has no 'prompt'")
    return [row["prompt"] for row in found]
