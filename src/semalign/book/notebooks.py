"""Run the stale notebooks of a profile, with progress, and write each result atomically.

A notebook is a Jupytext file ``notebooks/NN_name.py`` in the percent format. It begins with a Markdown cell that states
its purpose, its cost and its command. One cell, tagged ``parameters``, sets ``profile = "micro"`` and the inputs (see
:mod:`semalign.book.inputs`). The executed form is ``book/notebooks/NN_name.ipynb``. It is fresh as long as all that it
depends on is the same as when it was run (see :mod:`semalign.book.freshness`). Where only its text has changed, the
executed form gets the new text, and nothing is run.
"""

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import jupytext
import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from semalign.book.at_once import at_once, before, run_all
from semalign.book.freshness import TEXT, changed, changes, dependencies, downloads
from semalign.book.inputs import input_hashes
from semalign.book.kernels import InterpreterKernel
from semalign.book.notebook_text import show_one_parameters_cell, with_text
from semalign.disk import temporary_folder, write_errors
from semalign.experiments.profiles import load_profile
from semalign.files import atomic_path
from semalign.paths import project_root
from semalign.results.surroundings import commit


class NotebookError(RuntimeError):
    """A notebook raised; the message names the cell and the file with its output."""


def run_notebooks(profile: str = "micro", only: Iterable[str] | None = None, force: bool = False) -> list[Path]:
    """Run the stale notebooks of a profile and return the files written.

    Where each is to take some of the cores only, several run at the same time (:func:`semalign.book.at_once.at_once`).

    Args:
        profile: name or path of a profile.
        only: prefixes of notebook names (``["03"]``); by default all notebooks.
        force: whether to run fresh notebooks too.

    Raises:
        NotebookError: if a notebook raised; its output is in ``book/notebooks/NAME.failed.ipynb``.
    """
    sources = notebook_sources(only)
    _remove_orphans(executed_path(sources[0]).parent)
    after, chosen = before(sources), list[Path]()
    for source in sources:  # a fresh one may be stale once an earlier one has run
        if force or after[source] & {*chosen} or changes(source, executed_path(source), profile):
            chosen.append(source)
    labels = {source: f"[{number}/{len(sources)}] {source.stem}" for number, source in enumerate(sources, start=1)}
    workers = min(at_once(), len(chosen))
    work = partial(_refreshed, labels=labels, profile=profile, force=force, progress=workers <= 1)
    written = [path for path in run_all(chosen, after, work, workers) if path is not None]
    if not written:
        print(f"All {len(sources)} notebooks are fresh for profile {profile}.", flush=True)
    return written


def _remove_orphans(folder: Path) -> None:
    """Remove executed notebooks without a source, whose chapters have other names now, and runs that were killed."""
    names = {source.stem for source in notebook_sources()}
    for path in folder.glob("*.ipynb"):
        if path.name.partition(".")[0] not in names or path.name.endswith(".running.ipynb"):
            path.unlink()


def _refreshed(source: Path, labels: dict[Path, str], profile: str, force: bool, progress: bool) -> Path | None:
    """Run a notebook and return the file written, or None if it is fresh."""
    # Checked only now, because an earlier notebook may have written records that this one reads.
    reasons = ["forced"] if force else changes(source, executed_path(source), profile)
    if not reasons:
        return None
    print(f"{labels[source]} (stale: {', '.join(reasons)})", flush=True)
    start = time.perf_counter()
    written = _retold(source, profile) if reasons == [changed(TEXT)] else _run(source, profile, progress)
    print(f"{labels[source]}: {time.perf_counter() - start:.0f} s", flush=True)
    return written


def stale_notebooks(profile: str = "micro", only: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Return the stale notebooks of a profile by name, each with the changes since it was run."""
    reasons = {source.stem: changes(source, executed_path(source), profile) for source in notebook_sources(only)}
    return {name: why for name, why in reasons.items() if why}


def notebook_sources(only: Iterable[str] | None = None) -> list[Path]:
    """Return the notebooks in order, or only those whose names begin with one of the prefixes in ``only``."""
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
    """Return the path of the executed form of a notebook."""
    return project_root() / "book" / "notebooks" / f"{source.stem}.ipynb"


def _run(source: Path, profile: str, progress: bool) -> Path:
    before = dependencies(source, profile)
    output = executed_path(source)
    failed = output.with_suffix(".failed.ipynb")
    with write_errors(output), temporary_folder(output.parent) as folder:
        running = folder / output.name
        try:
            notebook = _execute(source, running, profile, progress)
        except (PapermillExecutionError, DeadKernelError) as error:
            running.replace(failed)
            raise NotebookError(_explain(source, error, failed)) from error
    show_one_parameters_cell(notebook)
    timed = notebook.metadata.pop("papermill", {})  # it contains folders of this machine
    notebook.metadata["semalign_run"] = {
        "profile": load_profile(profile).name,
        "commit": commit(),
        "created": timed["start_time"],
        "seconds": timed["duration"],
    }
    # A notebook may write records that it also reads, so the inputs are hashed after the run.
    _write(notebook, before | input_hashes(source, profile), output)
    failed.unlink(missing_ok=True)
    return output


def _retold(source: Path, profile: str) -> Path:
    """Give the executed form of a notebook, whose code has not changed, the text of its source."""
    output = executed_path(source)
    notebook = with_text(nbformat.read(output, as_version=4), jupytext.read(source))
    show_one_parameters_cell(notebook)
    _write(notebook, dependencies(source, profile), output)
    return output


def _write(notebook: NotebookNode, of: dict[str, str], output: Path) -> None:
    """Write an executed notebook with the hashes of all that it depends on."""
    notebook.metadata["semalign"] = of | {"downloads": downloads(nbformat.writes(notebook))}
    with atomic_path(output) as temporary:
        nbformat.write(notebook, temporary)


def _execute(source: Path, running: Path, profile: str, progress: bool) -> NotebookNode:
    return papermill.execute_notebook(
        jupytext.read(source),
        running,
        parameters={"profile": str(Path(profile).resolve()) if Path(profile).suffix else profile},
        kernel_name="python3",
        language="python",
        kernel_manager_class=InterpreterKernel,
        cwd=project_root(),
        progress_bar=progress and {"desc": source.stem},
    )


def _explain(source: Path, error: Exception, failed: Path) -> str:
    if isinstance(error, PapermillExecutionError):
        first_line = error.source.strip().splitlines()[0]
        cause = f"cell {error.exec_count} ({first_line}) raised {error.ename}: {error.evalue}"
    else:
        cause = f"its kernel died ({error})"
    return f"Notebook {source.name} failed: {cause}\nIts output up to then: {failed}"
