"""The directive ``check-table``: a table made by code on a page that is no notebook."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from semalign.book.kept_texts import kept
from semalign.book.provenance import source_container
from semalign.book.provenance_page import MB, duration
from semalign.files import read_json
from semalign.paths import data_dir, project_root


class Source(NamedTuple):
    """What a table is made from: files below ``data/``, else in words; the command that makes these or the table."""

    files: str = ""
    command: str = ""
    told: str = ""


# The function that makes each table. Its module is imported when a page is read that needs it.
TABLES = {
    "basis-error": "speed_checks:basis_error",
    "builds": "speed_checks:builds",
    "engines": "speed_checks:engines",
    "generation": "speed_checks:generation",
    "gpu-check": "check_tables:gpu_check",
    "half-precision": "check_tables:half_precision",
    "map_by_triangle": "speed_checks:map_by_triangle",
    "micro-cell": "speed_checks:micro_cell",
    "micro-ways": "speed_checks:micro_ways",
    "paper-3": "check_tables:paper_3",
    "paper-4": "check_tables:paper_4",
    "paper-5": "check_tables:paper_5",
    "paper-counts": "paper_notes:counts_table",
    "paper-shares": "paper_notes:shares_table",
    "plan": "plan_table:plan_table",
    "plan-check": "plan_table:measured_table",
    "plan-steps": "plan_table:steps_table",
    "profiles": "speed_page:profiles",
    "provenance": "provenance_page:provenance_tables",
    "sources": "table_directive:sources_table",
    "speed": "speed_page:speed_tables",
    "start-times": "speed_checks:start_times",
    "status-missing": "status_page:not_run",
    "status-devices": "status_chapters:devices",
    "status-notebooks": "status_chapters:notebooks",
    "status-others": "status_page:others",
    "status-profiles": "status_page:profiles",
    "status-versions": "status_page:packages",
    "tried": "speed_checks:tried",
}
CHECK, BOOK, RECORDS = "python benchmarks/", "make book", "all records below `data/results/`"
PLAN = Source(command="semalign plan --profile llama2", told="the profile `llama2`")
SPEED = {  # the file of each measurement of the page on speed, and the command that makes it
    "basis-error": ("basis-error.json", "basis_error.py"),
    "builds": ("builds.json", "build_times.py --whole"),
    "engines": ("backends.json", "backend_speed.py --out data/results/speed/backends.json"),
    "generation": ("generation.json", "generation_speed.py --out data/results/speed/generation.json"),
    "map_by_triangle": ("map-by-triangle.json", "map_by_triangle.py"),
    "micro-cell": ("micro-cell.json", "micro_cell.py --out data/results/speed/micro-cell.json"),
    "micro-ways": ("micro-ways.json", "micro_ways.py"),
    "start-times": ("start-times.json", "start_times.py"),
    "tried": ("tried.json", "tried.py"),
}
SOURCES = {
    **{name: Source(f"results/speed/{file}", f"{CHECK}{script}") for name, (file, script) in SPEED.items()},
    "profiles": Source("results/bench/profiles.csv", "PYTHONPATH=benchmarks python -m bench.profiles"),
    "gpu-check": Source("results/gpu-check/*.json", f"{CHECK}gpu_check.py --out data/results/gpu-check"),
    "half-precision": Source(
        "results/speed/half-precision.json",
        f"{CHECK}half_precision.py smollm2-135m --laten --out data/results/speed/half-precision.json",
    ),
    "paper-3": Source("paper/table3.csv"),
    "paper-4": Source("paper/table4.csv"),
    "paper-5": Source("paper/table5.csv"),
    "paper-counts": Source("paper/table1.csv"),
    "paper-shares": Source("paper/table[12].csv"),
    "plan": PLAN,
    "plan-check": Source("results/speed/plan.json", f"{CHECK}plan_check.py --out data/results/speed/plan.json"),
    "plan-steps": PLAN,
    "status-profiles": Source(told=RECORDS, command=BOOK),
    "status-others": Source(told=RECORDS, command=BOOK),
    "status-notebooks": Source(told="the executed notebooks", command=BOOK),
    "status-versions": Source(told="the installed packages", command=BOOK),
}
LABELS = {
    **{name: f"tab-{name}" for name in SOURCES},
    "gpu-check": "tab-gpu-check-1", "micro-cell": "tab-micro-cells", "micro-ways": "tab-micro-scores",
    "start-times": "tab-start",
}  # fmt: skip
SENTENCES = {"basis-error", "engines", "generation", "map_by_triangle"}  # of the page on speed, without a table
OTHERS = (  # tables that name their own records
    "* - first tables and figure of {doc}`/speed`\n  - `data/results/bench/`\n  - said there\n  - `make bench RUN=1`\n",
    "* - tables of {doc}`/claims`\n  - {download}`claims.yaml </../data/claims.yaml>`, and the records that they name\n"
    "  - –\n  - `make book`\n",
)
OF_CHAPTERS = {"provenance", "status-devices", "status-notebooks"}  # made from the executed notebooks


def places(name: str) -> list[Path]:
    """Return what a table is made from."""
    return [data_dir()] if name not in OF_CHAPTERS else [project_root() / "book" / "notebooks"]


def links(source: Source) -> list[str]:
    """Return links to the files of a table that are here, or what it is made from in words, in MyST."""
    root = project_root()
    found = [f"{{download}}`{path.name} </../{path.relative_to(root).as_posix()}>`" for path in _files(source)]
    return found or ([source.told] if source.told else [])


def _files(source: Source) -> list[Path]:
    return sorted(data_dir().glob(source.files)) if source.files else []


def source_line(name: str) -> str:
    """Return the line under a table: source · data · command; nothing for a table without data here."""
    source = SOURCES.get(name, Source())
    data = links(source)
    return source_container(TABLES[name].partition(":")[0], data, source.command) if data else ""


def sources_table() -> str:
    """Return the section of the page of provenance on these tables, in MyST."""
    rows = [
        f"* - {_shown(name, source)}\n  - {', '.join(links(source)) or '–'}\n  - {_made(source)}\n"
        f"  - {f'`{source.command}`' if source.command else '–'}\n"
        for name, source in SOURCES.items()
    ]
    head = ":header-rows: 1\n:widths: 18 34 16 32\n\n* - shown in\n  - data\n  - made\n  - command\n"
    return f"## Tables of other pages\n\n:::{{list-table}}\n{head}{''.join([*rows, *OTHERS])}:::\n"


def _shown(name: str, source: Source) -> str:
    """Return the number of a table, or the page whose text has its numbers; its name where its files are not here."""
    if source.files and not _files(source):
        return f"`{name}`"
    return "text of {doc}`/speed`" if name in SENTENCES else f"{{numref}}`{LABELS[name]}`"


def _made(source: Source) -> str:
    """Return how the files of a table were made, as far as they name it: commit, day, time, memory and machine."""
    return "; ".join(filter(None, (_facts(_read(path)) for path in _files(source)))) or "–"


def _read(path: Path) -> Mapping[str, Any]:
    """Return what a JSON file holds, and of a CSV file the commits of its lines, if they have them."""
    if path.suffix == ".json":
        return read_json(path)
    lines = pd.read_csv(path)
    return {"commit": "`, `".join(lines["commit"].unique())} if "commit" in lines else {}


def _facts(found: Mapping[str, Any]) -> str:
    """Return how one file was made.

    >>> _facts({"commit": "abc1234", "created": "2026-01-02T03:04:05+00:00", "seconds": 300, "cores": 2})
    '`abc1234`, 2026-01-02, 5 min, 2 cores'
    """
    facts: dict[str, Callable[[Any], str]] = {
        "commit": lambda commit: f"`{commit}`",
        "created": lambda created: created[:10],
        "seconds": duration,
        "peak_memory_bytes": lambda peak: f"{peak / MB:,.0f} MB",
        "device": str,
        "cores": lambda cores: f"{cores} cores",
    }
    return ", ".join(told(found[key]) for key, told in facts.items() if found.get(key))


class CheckTable(SphinxDirective):
    """The directive ``check-table``, whose argument names one of the tables."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the table, which is made again where what it is made from has changed."""
        (name,) = self.arguments
        text = kept(self.env, TABLES[name], places(name)) + source_line(name)
        return self.parse_text_to_nodes(text, allow_section_headings=True)
