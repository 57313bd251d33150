"""A page of the book: the data of its figures and tables, and the line of provenance under each."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import display

from semalign.book.inputs import hold_to
from semalign.book.markdown import folded, numbers, table
from semalign.book.provenance import Provenance, listing, record_files, summary
from semalign.book.stacked import draw_in_notebooks
from semalign.book.theme import apply_theme
from semalign.experiments.profiles import load_profile
from semalign.experiments.provision import check_provided
from semalign.files import atomic_path
from semalign.paths import project_root
from semalign.results.records import write_record
from semalign.results.surroundings import peak_memory


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
    return Page(name, f"semalign run --profile {profile} --only {name[:2]}")


@dataclass(frozen=True)
class Page:
    """One page of the book.

    Attributes:
        name: name of its notebook.
        command: the command that runs the notebook, and so reproduces all figures and tables without their own command.
    """

    name: str
    command: str

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

        One record is offered as it is; of several, ``DATA-records.csv`` has a line for each.

        Args:
            data: the name given to :meth:`save`.
            command: the command that reproduces it; None for the command of the page.
            records: the run record of the data, a folder of records, or several, if the data come from runs. The file
                name of a single record must be unique in the book.

        Raises:
            FileNotFoundError: if the data were not saved or a record does not exist.
        """
        source = project_root() / "notebooks" / f"{self.name}.py"
        links = {"source": _publish(source), "data (CSV)": _published(f"{data}.csv")}
        if not links["data (CSV)"].is_file():
            raise FileNotFoundError(f"{data}.csv is missing: save the data of a figure before its provenance.")
        found: dict[str, Any] = {}
        if records is not None and records != []:
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
