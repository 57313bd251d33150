"""The items of a task as they are asked: the rows of its data, or what its ``process_docs`` makes of them."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from semalign.data.row_files import Row, Rows


class Documents:
    """Rows in the form that lm-eval asks of a data set, each as it was read.

    A ``datasets.Dataset`` would change rows: a whole number becomes a fraction beside fractions in its column, and an
    object gains the keys of other rows' objects. Each access gives a copy, which functions of a task may change.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    @property
    def features(self) -> dict[str, None]:
        """The names of all columns."""
        return dict.fromkeys(name for row in self._rows for name in row)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        """Return a copy of a row."""
        return copy.deepcopy(self._rows[index])

    def __iter__(self) -> Iterator[Row]:
        """Yield a copy of each row."""
        return map(copy.deepcopy, self._rows)


def processed(rows: Rows, process_docs: Callable[..., Any] | None) -> Rows:
    """Return the items that a task makes of the rows of its data.

    Args:
        rows: of one split.
        process_docs: the task's own function, which takes a ``datasets.Dataset``; None: the rows are the items.

    Raises:
        ValueError: if the rows are no data set, or the function gives no items.
    """
    if process_docs is None:
        return rows
    made = process_docs(dataset(rows))
    where = rows.places[0].rpartition(",")[0]
    items = list(made) if isinstance(made, Iterable) else []
    if not items or not all(isinstance(item, Mapping) for item in items):
        raise ValueError(f"{where}: process_docs must return one row or more, it returns {_short(made)}")
    return Rows(map(dict, items), (f"{where}, row {number} after process_docs" for number in range(1, len(items) + 1)))


def dataset(rows: Sequence[Row]) -> Any:
    """Return rows as a ``datasets.Dataset`` with the columns of all rows; what a row does not have is null there.

    Raises:
        ValueError: if a column has values of types that do not go together, or whole numbers and fractions.
    """
    import pyarrow
    from datasets import Dataset

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    try:
        made = Dataset.from_dict(columns)
    except (pyarrow.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(f"a column has values of different types: {' '.join(str(error).split())}") from error
    for name, values in columns.items():
        for before, after in zip(values, made[name], strict=True):
            if _changed(before, after):
                raise ValueError(
                    f"column {name!r} has whole numbers and fractions, so that {_short(before)} becomes "
                    f"{_short(after)} for process_docs: write one kind, or all as text"
                )
    return made


def _changed(before: Any, after: Any) -> bool:
    """Return whether a whole number in a value has become a fraction."""
    if isinstance(before, dict):
        return any(_changed(value, after[key]) for key, value in before.items())
    if isinstance(before, list):
        return any(map(_changed, before, after))
    return isinstance(before, int) and isinstance(after, float)


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:60]}…"
