"""Rows as they are published: of a data set in a data root or on the Hugging Face hub, or of a file."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet

from semalign.paths import data_roots

HUB_TIMEOUT = 5.0
OWN = "semalign/"  # bundled data sets: the hub has none of them
Row = dict[str, Any]


def locate(dataset: str, config: str | None, split: str) -> Path:
    """Return the file of a split: ``<root>/<dataset>[/<config>]/<split>.jsonl`` or ``.parquet``.

    Raises:
        FileNotFoundError: if no data root has it; it names the places and the setting.
    """
    folder = Path(dataset, config or "")
    for root in data_roots():
        for suffix in (".jsonl", ".parquet"):
            if (path := root / folder / f"{split}{suffix}").is_file():
                return path
    looked = ", ".join(str(root / folder) for root in data_roots())
    raise FileNotFoundError(
        f"no split {split!r} of {dataset}: looked for {split}.jsonl and {split}.parquet in {looked}. "
        f"Set SEMALIGN_DATA to a folder that has {folder / split}.jsonl, with the columns of the data set."
    )


def dataset_rows(dataset: str, config: str | None, split: str, *, offline: bool = False) -> list[Row]:
    """Return all rows of a split, the same from a data root, the hub and the hub's cache.

    Raises:
        FileNotFoundError: if none of them has it.
        ValueError: if its file is damaged.
    """
    try:
        return read_file(locate(dataset, config, split))
    except FileNotFoundError as error:
        if dataset.startswith(OWN):
            raise
        try:
            return hub_rows(dataset, config, split, offline=offline)
        except Exception as reason:  # any error of the hub or of its HTTP library
            name = reason.__class__.__name__
            raise FileNotFoundError(f"{error} The Hugging Face hub did not give it either ({name})") from reason


def hub_rows(dataset: str, config: str | None, split: str, *, offline: bool = False) -> list[Row]:
    """Return all rows of a split from the hub, or from the cache of ``datasets`` if the hub does not reply."""
    import datasets

    with _offline(offline or not _hub_has(dataset)):
        return datasets.load_dataset(dataset, config, split=split).to_list()


def _hub_has(dataset: str) -> bool:
    """Ask the hub one quick question first: without a network, a download is tried again for half a minute."""
    from huggingface_hub import HfApi

    try:
        HfApi().dataset_info(dataset, timeout=HUB_TIMEOUT)
        return True
    except Exception:  # no network, offline mode, no such data set: the cache is asked next
        return False


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def read_file(path: Path | str) -> list[Row]:
    """Return the rows of a JSONL or Parquet file.

    Raises:
        ValueError: for a line that is no JSON object (named), or a file without rows.
    """
    path = Path(path)
    rows = pyarrow.parquet.read_table(path).to_pylist() if path.suffix == ".parquet" else list(_jsonl(path))
    if not rows:
        raise ValueError(f"{path} has no rows")
    return rows


def _jsonl(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number} must be a JSON object with named columns")
            yield row


def first(rows: list[Row], limit: int | None, group: str | None = None) -> list[Row]:
    """Return the first ``limit`` rows, or all rows if the limit is None.

    Args:
        rows: the rows.
        limit: how many.
        group: a column; the first ``limit`` rows of each of its values are returned, in the order of ``rows``.

    Raises:
        ValueError: for a limit below 1.
    """
    if limit is None:
        return rows
    if limit < 1:
        raise ValueError(f"a limit must be at least 1 item, got {limit}")
    taken: Counter[Any] = Counter()
    kept = []
    for row in rows:
        key = row[group] if group else None
        taken[key] += 1
        if taken[key] <= limit:
            kept.append(row)
    return kept


def jsonl(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as JSON lines with a fixed layout."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def fingerprint(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a short hash of rows: that of their JSONL file, whether they came from JSONL, Parquet or the hub."""
    return hashlib.sha256(jsonl(rows).encode()).hexdigest()[:16]
