"""The page *Provenance*: what each chapter's figures and tables come from, in MyST."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from semalign.book.notebooks import executed_path, notebook_sources
from semalign.book.provenance import KEY, RUN

Entry = Mapping[str, Any]
MB = 1e6
LINE = "\\\n    "  # between lines of a cell
TABLE = re.compile(r"^:name: (tab-[\w-]+)$", re.MULTILINE)
SHOWN = 3  # commits or methods that are named; of more, the number


def provenance_tables() -> str:
    """Return a section for each chapter: its run, and a table of its figures and tables."""
    return "\n".join(_chapter(source.stem, executed_path(source)) for source in notebook_sources())


def entries(notebook: Mapping[str, Any]) -> list[Entry]:
    """Return the provenance that an executed notebook holds, one entry for each data set, in order.

    ``labels`` are those of the figures and tables that show the data: provenance belongs to the table before it, if
    that has none yet, else to the figure before it.
    """
    kept: dict[str, dict[str, Any]] = {}
    figure = table = ""
    for cell in notebook["cells"]:
        figure = cell.get("metadata", {}).get("mystnb", {}).get("figure", {}).get("name", figure)
        for output in cell.get("outputs", []):
            named = TABLE.search("".join(output.get("data", {}).get("text/markdown", "")))
            table = named[1] if named else table
            if entry := output.get("metadata", {}).get(KEY):
                label, table, figure = (table, "", figure) if table else (figure, "", "")
                labels = kept.setdefault(entry["data"], {**entry, "labels": []})["labels"]
                labels += [label] if label and label not in labels else []
    return list(kept.values())


def run_text(run: Mapping[str, Any], peak: int = 0) -> str:
    """Return how a notebook was run, as a sentence; ``run`` is what its metadata say."""
    if not run:
        return "This chapter has not been run."
    memory = f", {peak / MB:,.0f} MB at most" if peak else ""
    commit = f" at commit `{run['commit']}`" if run["commit"] else ""
    return f"Run on {run['created'][:10]}{commit}, profile `{run['profile']}`: {duration(run['seconds'])}{memory}."


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(90), duration(5400), duration(3.2)
    ('90 s', '90 min', '3 s')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def read_notebook(path: Path) -> Mapping[str, Any]:
    """Return an executed notebook, or one without cells if it is not there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"cells": [], "metadata": {}}


def _chapter(name: str, path: Path) -> str:
    notebook = read_notebook(path)
    found = entries(notebook)
    peak = max((entry["peak_memory_bytes"] for entry in found), default=0)
    title = f"## {{doc}}`{_title(notebook)} </notebooks/{name}>`" if path.is_file() else f"## `{name}`"
    said = run_text(notebook["metadata"].get("semalign_run", {}), peak)
    return "\n\n".join([title, said, *([_table(found)] if found else [])]) + "\n"


def _title(notebook: Mapping[str, Any]) -> str:
    """Return the heading of a notebook, which its first cell begins with."""
    return "".join(notebook["cells"][0]["source"]).partition("\n")[0].lstrip("# ")


def _table(found: Sequence[Entry]) -> str:
    """Return a table with a row for all data that come from the same records by the same command."""
    alike: dict[tuple[str, str], list[Entry]] = {}
    for entry in found:
        alike.setdefault((entry["command"], json.dumps(entry["records"])), []).append(entry)
    rows = "".join(
        f"* - {LINE.join(map(_data, group))}\n  - {_records(group[0])}\n  - `{group[0]['command']}`\n"
        for group in alike.values()
    )
    head = ":header-rows: 1\n:widths: 26 42 32\n\n* - shown in: data (CSV)\n  - computed from\n  - command\n"
    return f":::{{list-table}}\n{head}{rows}:::"


def _data(entry: Entry) -> str:
    """Return the link to the data of an entry, with the figures and tables that show it."""
    shown = ", ".join(f"{{numref}}`{label}`" for label in entry["labels"])
    return f"{shown}{': ' if shown else ''}{_link(entry['links']['data (CSV)'], entry['data'])}"


def _records(entry: Entry) -> str:
    """Return the records behind an entry in words, or that the chapter computes it."""
    kept = entry["records"]
    if not kept:
        run = entry["links"].get(RUN)
        return "models, data and results that the chapter reads" + (f", in {_link(run, 'this run')}" if run else "")
    published = next((name for text, name in entry["links"].items() if "record" in text), None)
    folders = ", ".join(f"`{folder}`" for folder in kept["folders"])
    where = f"in {folders}" if folders else "of this run"
    what = f"{_link(published, '{number} of {of} records'.format(**kept))} {where}"
    return "; ".join([what, *_facts(kept)])


def _facts(kept: Mapping[str, Any]) -> Iterator[str]:
    yield _several("method", kept["methods"])
    if kept["seeds"]:
        yield f"seed{'s' * (len(kept['seeds']) > 1)} {', '.join(map(str, kept['seeds']))}"
    low, high = kept["n"]
    yield f"n {low}" if low == high else f"n {low} to {high}"
    yield f"{', '.join(kept['devices'])}, {duration(kept['seconds'])} in all, {kept['peak_memory_bytes'] / MB:,.0f} MB"
    yield _several("commit", kept["commits"])
    first, last = kept["days"]
    yield first if first == last else f"{first} to {last}"


def _several(what: str, names: Sequence[str]) -> str:
    if len(names) > SHOWN:
        return f"{len(names)} {what}s"
    return f"{what}{'s' * (len(names) != 1)} {', '.join(f'`{name}`' for name in names) or 'unknown'}"


def _link(name: str | None, text: str) -> str:
    return f"{{download}}`{text} </_static/data/{name}>`" if name else text
