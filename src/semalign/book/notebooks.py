"""Run the notebooks of a profile: only those that are stale, with progress, each written whole or not at all.

A notebook is a Jupytext file ``notebooks/NN_name.py`` in the percent format. It begins with a Markdown cell
that states its purpose, its cost and its command, and has one cell tagged ``parameters`` that holds
``profile = "micro"``. Its executed form is ``book/notebooks/NN_name.ipynb``, and is fresh as long as the
notebook's text, the library, the resolved profile and the shipped data are those it was run with.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import jupytext
import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets import default

from semalign.experiments.profiles import load_profile
from semalign.files import atomic_path, json_fingerprint
from semalign.paths import data_dir, project_root

INPUT_DATA = (
    *("models", "benchmarks", "paper", "published"),
    *("results/small", "results/micro-selection", "results/micro-cost"),
)
LIBRARY = Path(__file__).parent.parent
LIBRARY_SUFFIXES = {".py", ".yaml"}


class NotebookError(RuntimeError):
    """A notebook raised; the message names the cell and the file that keeps its output."""


class InterpreterKernel(AsyncKernelManager):
    """A kernel of the running interpreter, whatever kernel specifications the machine has registered."""

    @default("transport")
    def _transport_default(self) -> str:
        return "ipc" if os.name == "posix" else "tcp"  # no port that others on the machine could reach

    @property
    def kernel_spec(self) -> KernelSpec:
        """Start ``ipykernel`` with this very Python."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name="semalign", language="python")


def run_notebooks(profile: str = "micro", only: Iterable[str] | None = None, force: bool = False) -> list[Path]:
    """Run the stale notebooks of a profile and return the files written.

    Args:
        profile: name or path of a profile.
        only: beginnings of notebook names (``["03"]``); by default all.
        force: run fresh ones too.

    Raises:
        NotebookError: a notebook raised; what it printed is kept in ``book/notebooks/NAME.failed.ipynb``.
    """
    sources = notebook_sources(only)
    reasons = {source: ["forced"] for source in sources} if force else _stale(sources, profile)
    written = []
    for number, (source, why) in enumerate(reasons.items(), start=1):
        print(f"[{number}/{len(reasons)}] {source.stem} (stale: {', '.join(why)})", flush=True)
        start = time.perf_counter()
        written.append(_run(source, profile))
        print(f"[{number}/{len(reasons)}] {source.stem}: {time.perf_counter() - start:.0f} s", flush=True)
    if not reasons:
        print(f"All {len(sources)} notebooks are fresh for profile {profile}.", flush=True)
    return written


def stale_notebooks(profile: str = "micro", only: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Return the stale notebooks of a profile by name, each with what has changed since it was run."""
    return {source.stem: why for source, why in _stale(notebook_sources(only), profile).items()}


def notebook_sources(only: Iterable[str] | None = None) -> list[Path]:
    """Return the notebooks in order; ``only`` keeps those whose name begins with one of its items."""
    folder = project_root() / "notebooks"
    sources = sorted(folder.glob("[0-9]*.py"))
    if not sources:
        raise FileNotFoundError(f"No notebooks in {folder}: run from a checkout or set SEMALIGN_ROOT to one.")
    if only is None:
        return sources
    prefixes = tuple(only)
    if unknown := [prefix for prefix in prefixes if not any(s.stem.startswith(prefix) for s in sources)]:
        names = ", ".join(source.stem for source in sources)
        raise ValueError(f"No notebook begins with {unknown[0]!r}. There are: {names}.")
    return [source for source in sources if source.stem.startswith(prefixes)]


def executed_path(source: Path) -> Path:
    """Return where the executed form of a notebook goes."""
    return project_root() / "book" / "notebooks" / f"{source.stem}.ipynb"


def notebook_inputs(source: Path, profile: str) -> dict[str, str]:
    """Return a hash of each thing that an executed notebook depends on."""
    return {"notebook": _hash_files([source], source.parent), **shared_inputs(profile)}


def shared_inputs(profile: str) -> dict[str, str]:
    """Return a hash of each thing that all notebooks of a profile depend on."""
    code = (path for path in _files(LIBRARY) if path.suffix in LIBRARY_SUFFIXES)
    data = (path for folder in INPUT_DATA for path in _files(data_dir() / folder))
    return {
        "library": _hash_files(code, LIBRARY),
        "profile": json_fingerprint(load_profile(profile).model_dump(mode="json")),
        "data": _hash_files(data, data_dir()),
    }


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _hash_files(paths: Iterable[Path], base: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(base).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _stale(sources: list[Path], profile: str) -> dict[Path, list[str]]:
    shared = shared_inputs(profile)
    changes = {source: _changes(source, shared) for source in sources}
    return {source: why for source, why in changes.items() if why}


def _changes(source: Path, shared: dict[str, str]) -> list[str]:
    executed = executed_path(source)
    if not executed.is_file():
        return ["never run"]
    recorded = nbformat.read(executed, as_version=4).metadata.get("semalign", {})
    inputs = {"notebook": _hash_files([source], source.parent), **shared}
    return [f"{name} changed" for name, value in inputs.items() if recorded.get(name) != value]


def _run(source: Path, profile: str) -> Path:
    inputs = notebook_inputs(source, profile)
    output = executed_path(source)
    output.parent.mkdir(parents=True, exist_ok=True)
    failed = output.with_suffix(".failed.ipynb")
    running = output.with_suffix(".running.ipynb")
    try:
        notebook = _execute(source, running, profile)
    except (PapermillExecutionError, DeadKernelError) as error:
        running.replace(failed)
        raise NotebookError(_explain(source, error, failed)) from error
    finally:
        running.unlink(missing_ok=True)
    _show_one_parameters_cell(notebook)
    notebook.metadata.pop("papermill", None)  # it names folders of this machine
    notebook.metadata["semalign"] = inputs
    with atomic_path(output) as temporary:
        nbformat.write(notebook, temporary)
    failed.unlink(missing_ok=True)
    return output


def _execute(source: Path, running: Path, profile: str) -> NotebookNode:
    notebook = jupytext.read(source)
    if not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
        raise ValueError(f"{source} has no cell tagged 'parameters': begin one with '# %% tags=[\"parameters\"]'.")
    return papermill.execute_notebook(
        notebook,
        running,
        parameters={"profile": str(Path(profile).resolve()) if Path(profile).suffix else profile},
        kernel_name="python3",
        language="python",
        kernel_manager_class=InterpreterKernel,
        cwd=project_root(),
        progress_bar={"desc": source.stem},
    )


def _explain(source: Path, error: Exception, failed: Path) -> str:
    if isinstance(error, PapermillExecutionError):
        first_line = error.source.strip().splitlines()[0]
        cause = f"cell {error.exec_count} ({first_line}) raised {error.ename}: {error.evalue}"
    else:
        cause = f"its kernel died ({error})"
    return f"Notebook {source.name} failed: {cause}\nWhat it printed until then: {failed}"


def _show_one_parameters_cell(notebook: NotebookNode) -> None:
    """Hide the injected parameters where they repeat the defaults, else the defaults that they replace."""
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    defaults, injected = tagged["parameters"], tagged["injected-parameters"]
    repeats = set(injected.source.splitlines()[1:]) <= set(defaults.source.splitlines())
    (injected if repeats else defaults).metadata.tags.append("remove-cell")
