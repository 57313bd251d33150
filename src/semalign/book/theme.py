"""How the book's figures and tables look, and the line of provenance under each.

Figures keep a white background in the book's dark mode too, so their colours are chosen for white alone;
the palette is Wong's, which stays distinct with the common forms of colour blindness.
"""

import math
import shutil
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns

from semalign.files import atomic_path
from semalign.paths import project_root


@dataclass(frozen=True)
class Html:
    """HTML that a notebook shows as such."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Markdown:
    """Markdown (MyST) that the book shows as such."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text


def apply_theme() -> None:
    """Set the one style of all figures: call it once at the top of a notebook."""
    settings = {
        "figure.figsize": (7.0, 3.8),
        "figure.constrained_layout.use": True,
        "savefig.facecolor": "white",
        "axes.titlesize": "medium",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "grid.color": "0.9",
    }
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", rc=settings)
    if "ipykernel" in sys.modules:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


def save_figure_data(frame: pd.DataFrame, name: str) -> Path:
    """Save the numbers behind a figure or table as ``NAME.csv``, where the book offers it for download."""
    path = _published(f"{name}.csv")
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g")
    return path


def table(frame: pd.DataFrame, caption: str, name: str, decimals: int = 2) -> Markdown:
    """Return a frame as a numbered table, decimals trimmed; ``{numref}`name``` refers to it."""
    lines = [
        frame.columns,
        ["--:" if pd.api.types.is_numeric_dtype(dtype) else ":--" for dtype in frame.dtypes],
        *(frame.itertuples(index=False)),
    ]
    rows = "\n".join("| " + " | ".join(_cell(value, decimals) for value in line) + " |" for line in lines)
    return Markdown(f":::{{table}} {caption}\n:name: {name}\n\n{rows}\n:::\n")


def _cell(value: Any, decimals: int) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.{decimals}f}"
    return str(value).replace("|", "\\|")


def provenance(source: str, data: str, command: str, record: Path | str | None = None) -> Html:
    """Return the line under a figure or table: source · data (CSV) · run record (JSON) · command.

    Args:
        source: the notebook that made it, such as ``notebooks/01_semantic_basis.py``.
        data: the name given to `save_figure_data`.
        command: the command that makes it again.
        record: the run record of the numbers, if they come from a run; a file name used only once in the book.
    """
    links = [_link(_publish(project_root() / source), "source"), _link(_published(f"{data}.csv"), "data (CSV)")]
    if record is not None:
        links.append(_link(_publish(Path(record)), "run record (JSON)"))
    parts = " · ".join([*links, f"<code>{escape(command)}</code>"])
    return Html(f'<p class="provenance">{parts}</p>')


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
        raise FileNotFoundError(f"{path} is missing: call save_figure_data before provenance.")
    return f'<a href="../_static/data/{escape(path.name)}" download>{label}</a>'
