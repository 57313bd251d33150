"""Rows as they are published: of a data set in a data root or on the Hugging Face hub."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semalign import hub
from semalign.data.row_files import SUFFIXES, Row, Rows, read_file
from semalign.errors import folded, one_line
from semalign.paths import data_roots

OWN = "semalign/"  # bundled data sets: the hub has none of them


def locate(dataset: str, config: str | None, split: str) -> list[Path]:
    """Return the files of a split in the first data root that has it.

    In ``<root>/<dataset>[/<config>]``, or the folder ``data`` in it, the split is ``<split>.jsonl`` or another file of
    rows (see :mod:`semalign.data.row_files`), or the hub's ``<split>-00000-of-00002.parquet`` and so on. Without
    a configuration it may also be in a folder that is named like the data set, as the hub has it.

    Raises:
        FileNotFoundError: if no data root has it; it names the places and the setting.
        ValueError: if some of its files are missing.
        OSError: for a data root that is a file, a folder that cannot be read, or a folder in place of the split's file.
    """
    for root in data_roots():
        if root.is_file():
            raise NotADirectoryError(f"the data root {root} is a file: SEMALIGN_DATA names folders")
        for folder in _folders(root / dataset, config):
            if files := _files(folder, split):
                return files
    folder = Path(dataset, config or "")
    looked = ", ".join(str(root / folder) for root in data_roots())
    raise FileNotFoundError(
        f"no split {split!r} of {dataset}: looked for {split}.jsonl, {split}.parquet or {split}-00000-of-….parquet in "
        f"{looked}. Set SEMALIGN_DATA to a folder that has {folder / split}.jsonl, with the columns of the data set."
    )


def _folders(base: Path, config: str | None) -> list[Path]:
    if config:
        return [base / config, base / config / "data", base / "data" / config]
    return [base, base / "data", base / base.name]


def _files(folder: Path, split: str) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise PermissionError(f"no permission to read {folder}, a folder of a data root") from error
    for suffix in SUFFIXES:
        shard = re.compile(re.escape(split) + r"-\d{5}-of-(\d{5})" + re.escape(suffix))
        if f"{split}{suffix}" in names:
            return [folder / f"{split}{suffix}"]
        if shards := [match for match in map(shard.fullmatch, names) if match]:
            if len(shards) != int(shards[0][1]):
                raise ValueError(f"{folder} has {len(shards)} of the {int(shards[0][1])} files of split {split!r}")
            return [folder / match[0] for match in shards]
    if split in names:
        raise IsADirectoryError(f"{folder / split} is a folder: put {split}.jsonl or {split}.parquet in its place")
    return []


def dataset_rows(dataset: str, config: str | None, split: str, *, offline: bool = False) -> Rows:
    """Return all rows of a split, the same from a data root, the hub and the hub's cache.

    Raises:
        FileNotFoundError: if none of them has it.
        ValueError: if a file of it is damaged.
    """
    try:
        parts = [read_file(path) for path in locate(dataset, config, split)]
        return Rows((row for part in parts for row in part), (place for part in parts for place in part.places))
    except FileNotFoundError as error:
        if dataset.startswith(OWN):
            raise
        try:
            found = hub_rows(dataset, config, split, offline=offline)
        except hub.HubError as reason:
            raise FileNotFoundError(
                f"{error} The Hugging Face hub does not give it either: {reason}. Where there is a network, `semalign "
                "fetch --profile PROFILE` gets all data of a profile"
            ) from reason
        return Rows(found, (f"{dataset} {split}, row {number}" for number in range(1, len(found) + 1)))


def hub_rows(dataset: str, config: str | None, split: str, *, offline: bool = False) -> list[Row]:
    """Return all rows of a split from the hub, or from the cache of ``datasets`` if the hub does not give it.

    Raises:
        HubError: if neither does.
    """
    import datasets

    refusal = hub.HubError("its cache has none") if offline else _refusal(dataset)
    try:
        with _offline(refusal is not None):
            return datasets.load_dataset(dataset, config, split=split).to_list()
    except Exception as error:  # any error of the hub, of its HTTP library, or of a file
        raise refusal or hub.HubError(folded(one_line(error), 200)) from error


def _refusal(dataset: str) -> hub.HubError | None:
    """Ask the hub first whether it has a data set; return why it does not give it, None if it does."""
    return hub.refusal(lambda api, seconds: api.dataset_info(dataset, timeout=seconds))


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


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
    """Return rows as JSON lines with a fixed layout; what JSON does not have, such as a date, is its text."""
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def fingerprint(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a short hash of rows: that of their JSONL file, whether they came from JSONL, Parquet or the hub."""
    return hashlib.sha256(jsonl(rows).encode()).hexdigest()[:16]
