"""Where a figure or table comes from: the line under it, and the same as data in the executed notebook.

The page *Provenance* reads these data from the notebooks themselves, so that it cannot differ from them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from semalign.paths import project_root
from semalign.results.records import read_record

KEY = "semalign_provenance"  # in the metadata of an output
RUN = "run (JSON)"  # the link to the run of a page that computes its data
LISTED = (
    "method", "teacher", "student", "task", "seed", "metric", "value", "n",
    "seconds", "peak_memory_bytes", "device", "commit", "created", "command",
)  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """Where a figure or table comes from; a notebook shows it as one line.

    Attributes:
        data: name of the data, without ``.csv``.
        command: what makes them again.
        links: the published files, by the text of their links.
        records: what :func:`summary` says of the run records behind the data.
        peak_memory_bytes: of the notebook's process, up to here.
    """

    data: str
    command: str
    links: Mapping[str, str]
    records: Mapping[str, Any] = field(default_factory=dict)
    peak_memory_bytes: int = 0

    def _repr_html_(self) -> str:
        links = [f'<a href="../_static/data/{escape(name)}" download>{text}</a>' for text, name in self.links.items()]
        folders = ", ".join(f"<code>{escape(folder)}</code>" for folder in self.records.get("folders", []))
        parts = [*links[:-1], f"{links[-1]} of {folders}"] if folders else links
        words = " ".join(f'<span class="pre">{escape(word)}</span>' for word in self.command.split())
        parts += [f"<code>{words}</code>", '<a href="../provenance.html">all</a>']
        return f'<p class="provenance">{" · ".join(parts)}</p>'

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the line, and the same as data in the metadata of the output, which nothing shows."""
        return {"text/html": self._repr_html_()}, {KEY: asdict(self)}


def source_container(module: str, data: Iterable[str] = (), command: str = "") -> str:
    """Return the line under a table of a page that is no notebook, in MyST: source · data · command · all.

    Args:
        module: the module below ``semalign.book`` that makes the table.
        data: what it is made from, as links or names.
        command: what makes these data or the table.
    """
    parts = [f"{{mod}}`source <semalign.book.{module}>`", *data, *([f"`{command}`"] if command else [])]
    return f"\n```{{container}} provenance\n{' · '.join([*parts, '{ref}`all <provenance>`'])}\n```\n"


def record_files(records: Path | Iterable[Path]) -> list[Path]:
    """Return record files: the one given, those in a folder and below it, or several.

    Raises:
        FileNotFoundError: if one does not exist, or a folder holds none.
    """
    given = [records] if isinstance(records, Path) else list(records)
    found = [path for place in given for path in (sorted(place.rglob("*.json")) if place.is_dir() else [place])]
    if absent := [path for path in [*found, *(given if not found else [])] if not path.is_file()]:
        raise FileNotFoundError(f"no record {absent[0]}: name the records that the data come from")
    return sorted(set(found))


def listing(paths: Iterable[Path]) -> pd.DataFrame:
    """Return a line for each record: its file, what was run, its value, cost, commit and command."""
    return pd.DataFrame([{"file": _relative(path), **_listed(path)} for path in paths])


def summary(listed: pd.DataFrame) -> dict[str, Any]:
    """Return what is the same for many records of a listing, or goes over them all.

    The dictionary holds their number, the number of records in their folders (``of``), folders, commits, devices,
    methods, seeds, smallest and largest n, seconds added up, peak memory, and the first and last day. A record that a
    chapter made outside the project is in none of the folders.
    """
    root = project_root()
    folders = sorted({str(Path(name).parent) for name in listed["file"] if (root / name).is_file()})
    days = sorted(created[:10] for created in listed["created"])
    return {
        "number": len(listed),
        "of": sum(len(list((root / folder).glob("*.json"))) for folder in folders) or len(listed),
        "folders": folders,
        **{f"{key}s": sorted(set(listed[key].dropna())) for key in ("commit", "device", "method")},
        "seeds": sorted({int(seed) for seed in listed["seed"].dropna()}),
        "n": [int(listed["n"].min()), int(listed["n"].max())],
        "seconds": round(float(listed["seconds"].sum()), 1),
        "peak_memory_bytes": int(listed["peak_memory_bytes"].max()),
        "days": [days[0], days[-1]],
    }


@cache
def _listed(path: Path) -> dict[str, Any]:
    record = read_record(path)
    return {key: record[key] for key in LISTED}


def _relative(path: Path) -> str:
    """Return a path below the project as it is named there, any other as its last two parts."""
    absolute, root = path.absolute(), project_root().absolute()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else "/".join(absolute.parts[-2:])
