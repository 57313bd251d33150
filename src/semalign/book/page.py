"""One page of the book: the numbers behind its figures and tables, and the line of provenance under each."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd
from IPython.display import display

from semalign.book.inputs import hold_to
from semalign.book.markdown import Html, table
from semalign.book.theme import apply_theme
from semalign.files import atomic_path
from semalign.paths import project_root


def open_page(name: str, profile: str, inputs: Sequence[str]) -> "Page":
    """Begin a notebook: set the style of its figures, hold it to its inputs, and return its page.

    Args:
        name: the notebook's, such as ``03_attribution``.
        profile: name or path of the profile that it is run for.
        inputs: what it reads below ``data/``; see :mod:`semalign.book.inputs`.
    """
    apply_theme()
    hold_to(inputs, profile)
    return Page(name, f"semalign run --profile {profile} --only {name[:2]}")


@dataclass(frozen=True)
class Page:
    """One page of the book.

    Attributes:
        name: the notebook that makes it.
        command: the command that runs the notebook, and so makes whatever has no other command.
    """

    name: str
    command: str

    def save(self, frame: pd.DataFrame, name: str) -> None:
        """Save the numbers behind a figure or table as ``NAME.csv``, where the book offers it for download."""
        with atomic_path(_published(f"{name}.csv")) as temporary:
            frame.to_csv(temporary, index=False, float_format="%.6g")

    def provenance(self, data: str, command: str | None = None, record: Path | None = None) -> Html:
        """Return the line under a figure or table: source · data (CSV) · run record (JSON) · command.

        Args:
            data: the name given to :meth:`save`.
            command: the command that makes it again; None: the page's.
            record: the run record of the numbers, if they come from a run; a file name used only once in the book.

        Raises:
            FileNotFoundError: if the data were not saved, or there is no such record.
        """
        source = project_root() / "notebooks" / f"{self.name}.py"
        links = [_link(_publish(source), "source"), _link(_published(f"{data}.csv"), "data (CSV)")]
        if record is not None:
            links.append(_link(_publish(record), "run record (JSON)"))
        parts = " · ".join([*links, f"<code>{escape(command or self.command)}</code>"])
        return Html(f'<p class="provenance">{parts}</p>')

    def show_table(
        self,
        frame: pd.DataFrame,
        caption: str,
        name: str,
        *,
        decimals: int = 2,
        command: str | None = None,
        record: Path | None = None,
    ) -> None:
        """Save and show a table with its provenance; ``{numref}`tab-NAME``` refers to it.

        Args:
            frame: what it shows.
            caption: stands above.
            name: of the table, and of the file with what it shows.
            decimals: see :func:`semalign.book.markdown.table`.
            command: see :meth:`provenance`.
            record: see :meth:`provenance`.
        """
        self.save(frame, name)
        display(table(frame, caption, f"tab-{name}", decimals), self.provenance(name, command, record))


def _published(name: str) -> Path:
    return project_root() / "book" / "_static" / "data" / name


def _publish(path: Path) -> Path:
    """Copy a file to where the book offers it for download."""
    target = _published(path.name)
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def _link(path: Path, label: str) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: save the data of a figure before its provenance.")
    return f'<a href="../_static/data/{escape(path.name)}" download>{label}</a>'
