"""Rows of a file, each with its place for messages: JSON lines, a JSON array, CSV or Parquet.

Every file of rows is read here: those of ``--data``, of data roots, of task files and of prompts.
"""

import csv
import gzip
import io
import json
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

JSON, CSV, PARQUET = (".jsonl", ".ndjson", ".json"), (".csv", ".tsv"), (".parquet",)
GZIPPED = tuple(f"{suffix}.gz" for suffix in (*JSON, *CSV))
SUFFIXES = (*JSON, *PARQUET, *CSV, *GZIPPED)  # in this order a data root is searched
FORM = "rows are one JSON object a line, or one array of objects"
GZIP_MAGIC = b"\x1f\x8b"
WIDE = {BOM_UTF32_LE: "UTF-32", BOM_UTF32_BE: "UTF-32", BOM_UTF16_LE: "UTF-16", BOM_UTF16_BE: "UTF-16"}  # in this order
Row = dict[str, Any]


class Rows(list[Row]):
    """Rows, and for each of them its place: the file and the line or row, for messages."""

    def __init__(self, rows: Iterable[Row], places: Iterable[str]) -> None:
        super().__init__(rows)
        self.places = list(places)


def is_row_file(name: str | Path) -> bool:
    """Return whether a name is that of a file of rows, by its suffix."""
    return str(name).lower().endswith(SUFFIXES)


def read_file(path: Path | str) -> Rows:
    """Return the rows of a JSON, CSV or Parquet file; its suffix is one of :data:`SUFFIXES`.

    Text is UTF-8, with or without a byte order mark, or UTF-16 or UTF-32 with one, as PowerShell writes. Blank lines
    are no rows. JSON may be one object a line or one array of objects, whatever the suffix. The columns of a CSV file
    are text, named in its first line.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for another kind of file, a damaged one, one without rows, or a row that is no JSON object or has a
            key twice; with the file and the line or row.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give a file of rows")
    if not path.is_file():
        raise FileNotFoundError(f"no data file {path}")
    if not is_row_file(path):
        raise ValueError(f"{path}: a file of rows is named {', '.join((*JSON, *CSV, *PARQUET))}, or one of these .gz")
    found = list(_rows(path))
    if not found:
        raise ValueError(f"{path} has no rows")
    return Rows([row for _, row in found], [place for place, _ in found])


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    kind = path.name.lower().removesuffix(".gz")
    if kind.endswith(PARQUET):
        return _parquet(path)
    text = _text(path)
    return _csv(path, text, "\t" if kind.endswith(".tsv") else ",") if kind.endswith(CSV) else _json(path, text)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if raw.startswith(GZIP_MAGIC) or path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is damaged, or no gzip file ({error}): get it again") from error
    if wide := next((name for mark, name in WIDE.items() if raw.startswith(mark)), None):
        return _wide(path, raw, wide)
    raw = raw.removeprefix(BOM_UTF8)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8; convert the file, for example "
            f"`iconv -f latin1 -t utf-8 {path.name}`"
        ) from error


def _wide(path: Path, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} begins as {encoding} but is none ({error.reason}): save it as UTF-8") from error


def _json(path: Path, text: str) -> Iterator[tuple[str, Row]]:
    if text.lstrip()[:1] == "[":
        for number, row in enumerate(_parsed(text, path), start=1):
            yield _checked(f"{path}, row {number}", row)
    else:
        for number, line in enumerate(io.StringIO(text, newline=None), start=1):
            if line.strip():
                yield _checked(f"{path}, line {number}", _parsed(line.rstrip(), path, number))


def _parsed(text: str, path: Path, line: int = 1) -> Any:
    """Return what a JSON text holds; ``line`` is the line of the file at which the text begins."""
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        where = f"{path}, line {line + error.lineno - 1}"
        raise ValueError(f"{where} is not JSON ({error.msg}, column {error.colno}): {FORM}") from error
    except (ValueError, RecursionError) as error:  # a key twice, a number too long, too many brackets
        raise ValueError(f"{path}, line {line}: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"an object has the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return row


def _checked(place: str, row: Any) -> tuple[str, Row]:
    if not isinstance(row, dict):
        raise ValueError(f"{place} must be a JSON object with named columns: {FORM}")
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{place} has half of a character (\\u{ord(error.object[error.start]):04x})") from error
    return place, row


def _csv(path: Path, text: str, delimiter: str) -> Iterator[tuple[str, Row]]:
    if _is_json(text):
        raise ValueError(f"{path} holds JSON, not CSV: give it a name that ends in .jsonl")
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a field may be as long as a row may be
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = list(reader.fieldnames or [])
        if repeated := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{path}: the header has the column {repeated[0]!r} twice")
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise ValueError(f"{place} does not have the header's {len(names)} fields: quote fields with commas")
            yield place, row
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.reader.line_num} is not CSV: {error}") from error


def _is_json(text: str) -> bool:
    """Return whether a text begins with a JSON object, or with an array of them; no header of CSV does."""
    try:
        first, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return False
    return isinstance(first[0] if isinstance(first, list) and first else first, dict)


def _parquet(path: Path) -> Iterator[tuple[str, Row]]:
    import pyarrow.parquet  # and NumPy, which names of tasks need not

    with path.open("rb") as file:
        try:
            rows = pyarrow.parquet.ParquetFile(file).read().to_pylist()
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path} is damaged, or no Parquet file ({reason}): get it again") from error
    for number, row in enumerate(rows, start=1):
        yield f"{path}, row {number}", row
