"""A page of the book: the data of its figures and tables, and the line of provenance under each."""

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import display

from semalign.book.inputs import files_below, hash_files, hold_to, input_paths
from semalign.book.markdown import folded, numbers, table
from semalign.book.provenance import RUN, Provenance, listing, record_files, summary
from semalign.book.stacked import draw_in_notebooks
from semalign.book.theme import apply_theme
from semalign.experiments.profiles import load_profile
from semalign.experiments.provision import check_provided
from semalign.files import atomic_path, write_json
from semalign.paths import data_dir, project_root
from semalign.results.records import write_record
from semalign.results.surroundings import commit, peak_memory, versions


class NotProvidedError(FileNotFoundError):
    """What a notebook needs is not on this machine; the notebook shows one line instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def open_page(name: str, profile: str, inputs: Sequence[str]) -> "Page":
    """Begin a notebook: check its models and data, style its figures, restrict it to its inputs; return its page.

    Args:
        name: name of the notebook, such as ``03_attribution``.
        profile: name or path of the profile that it is run for.
        inputs: files and folders below ``data/`` that it reads; see :mod:`semalign.book.inputs`. With ``models`` or
            ``benchmarks`` among them it uses the models or the data of the profile, wherever these are.

    Raises:
        NotProvidedError: if some of them are not on this machine; it says what to do.
    """
    try:
        check_provided(load_profile(profile), models="models" in inputs, data="benchmarks" in inputs)
    except FileNotFoundError as error:
        raise NotProvidedError(str(error)) from None
    apply_theme()
    draw_in_notebooks()
    hold_to(inputs, profile)
    return Page(name, f"semalign run --profile {profile} --only {name[:2]}", profile, tuple(inputs))


@dataclass(frozen=True)
class Page:
    """One page of the book.

    Attributes:
        name: name of its notebook.
        command: the command that runs the notebook, and so reproduces all figures and tables without their own command.
        profile: name or path of the profile that it is run for.
        inputs: what it reads below ``data/``.
        opened: when it was opened, in seconds of a clock that only goes forward.
    """

    name: str
    command: str
    profile: str = "micro"
    inputs: Sequence[str] = ()
    opened: float = field(default_factory=time.monotonic)

    def save(self, frame: pd.DataFrame, name: str) -> None:
        """Save the data of a figure or table as ``NAME.csv``, intervals as numbers; the book offers it for download."""
        with atomic_path(_published(f"{name}.csv")) as temporary:
            numbers(frame).to_csv(temporary, index=False, float_format="%.6g")

    def keep(self, records: Mapping[str, dict[str, Any]], name: str) -> list[Path]:
        """Write the records of trainings that ran on this page, each by its name; return the files for provenance."""
        folder = project_root() / "book" / "_static" / "records" / f"{self.name}-{name}"
        paths = {folder / f"{re.sub(r'[^a-z0-9.]+', '-', key.lower())}.json": record for key, record in records.items()}
        for path, record in paths.items():
            write_record(path, record)
        return list(paths)

    def provenance(
        self, data: str, command: str | None = None, records: Path | Sequence[Path] | None = None
    ) -> Provenance:
        """Return the line under a figure or table: source · data (CSV) · run records · command.

        One record is offered as it is; of several, ``DATA-records.csv`` has a line for each. For data that the page
        computes, the run of the page is offered.

        Args:
            data: the name given to :meth:`save`.
            command: the command that reproduces it; None for the command of the page.
            records: the run record of the data, a folder of records, or several, if the data come from runs. The file
                name of a single record must be unique in the book. None: the page computes the data.

        Raises:
            FileNotFoundError: if the data were not saved or a record does not exist.
        """
        source = project_root() / "notebooks" / f"{self.name}.py"
        links = {"source": _publish(source), "data (CSV)": _published(f"{data}.csv")}
        if not links["data (CSV)"].is_file():
            raise FileNotFoundError(f"{data}.csv is missing: save the data of a figure before its provenance.")
        found: dict[str, Any] = {}
        if records is None:
            links[RUN] = self._run()
        elif records != []:
            files = record_files(records)
            listed = listing(files)
            found = summary(listed)
            if len(files) == 1:
                links["run record (JSON)"] = _publish(files[0])
            else:
                self.save(listed, f"{data}-records")
                links[f"{len(files)} of {found['of']} records"] = _published(f"{data}-records.csv")
        names = {text: path.name for text, path in links.items()}
        return Provenance(data, command or self.command, names, found, peak_memory())

    def _run(self) -> Path:
        """Write how this page is being run, from what, and what it took up to here; return the published file."""
        target = _published(f"{self.name}-run.json")
        places = input_paths(self.inputs, self.profile)
        found = {
            "notebook": self.name,
            "profile": load_profile(self.profile).name,
            "inputs": {name: hash_files(files_below(path), data_dir()) for name, path in places.items()},
            "command": self.command,
            "commit": commit(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.opened, 1),
            "peak_memory_bytes": peak_memory(),
            "versions": versions(),
        }
        write_json(target, found)
        return target

    def show_table(
        self,
        frame: pd.DataFrame,
        caption: str,
        name: str,
        *,
        decimals: int = 2,
        command: str | None = None,
        records: Path | Sequence[Path] | None = None,
        fold: str = "",
    ) -> None:
        """Save and show a table with its provenance; ``{numref}`tab-NAME``` refers to it.

        Args:
            frame: content of the table.
            caption: caption above the table.
            name: name of the table and of its CSV file.
            decimals: see :func:`semalign.book.markdown.table`.
            command: see :meth:`provenance`.
            records: see :meth:`provenance`.
            fold: if given, the title under which the reader opens the table.
        """
        self.save(frame, name)
        shown = table(frame, caption, f"tab-{name}", decimals)
        display(folded(shown, fold) if fold else shown, self.provenance(name, command, records))


def _published(name: str) -> Path:
    return project_root() / "book" / "_static" / "data" / name


def _publish(path: Path) -> Path:
    """Copy a file to where the book offers it for download."""
    target = _published(path.name)
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    return target
