"""Whether an executed notebook is still that of its inputs: each input has a hash, kept in the notebook's metadata."""

import json
import re
from collections.abc import Iterable
from importlib.metadata import entry_points, version
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from semalign.book.imports import reached
from semalign.book.inputs import files_below, hash_files, input_hashes, source_notebook
from semalign.book.notebook_text import code_of, text_of
from semalign.data.sources import locate as locate_split
from semalign.data.task_file import is_path, task_file
from semalign.experiments.named_inputs import Split, models_of, splits_of
from semalign.experiments.profiles import Profile, load_profile
from semalign.files import json_fingerprint
from semalign.included import included_folders
from semalign.models.located import locate
from semalign.paths import data_dir, project_root
from semalign.results.surroundings import versions

LIBRARY = Path(__file__).parent.parent
CODE_SUFFIXES = {".py", ".yaml", ".html"}
DRAWING = ("pandas", "scipy", "matplotlib", "seaborn")  # packages that a record does not name
TEXT = "text"
"""The dependency whose change alone needs no run; see :mod:`semalign.book.notebook_text`."""
DOWNLOAD = re.compile(r"_static/data/([\w.=,+-]+)")


def dependencies(source: Path, profile: str) -> dict[str, str]:
    """Return a hash of each dependency of an executed notebook.

    They are its code, its text, the parts of the library that it can run, installed packages, included files, the
    resolved profile, the inputs that it declares, and models, data and task files of the profile that are not below
    ``data/``.
    """
    resolved, notebook = load_profile(profile), source_notebook(source)
    return {
        "code": json_fingerprint(code_of(notebook)),
        TEXT: json_fingerprint(text_of(notebook)),
        "library": hash_files(reached(source, LIBRARY, code_below(LIBRARY)), LIBRARY),
        "packages": json_fingerprint(versions() | {name: version(name) for name in DRAWING}),
        "profile": json_fingerprint(resolved.model_dump(mode="json")),
        **included(),
        **outside(resolved),
        **input_hashes(source, profile),
    }


def changes(source: Path, executed: Path, profile: str) -> list[str]:
    """Return the changes since a notebook was run; the list is empty if the notebook is fresh.

    Args:
        source: the notebook.
        executed: its executed form.
        profile: name or path of the profile.
    """
    if not executed.is_file():
        return ["never run"]
    try:
        text = executed.read_text(encoding="utf-8")
        then = dict(json.loads(text)["metadata"].get("semalign", {}))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ["its executed form is damaged"]
    now = {**dependencies(source, profile), "downloads": downloads(text)}
    return [changed(name) for name in {**now, **then} if now.get(name) != then.get(name)]


def changed(name: str) -> str:
    """Return the words for a dependency that has changed."""
    return f"{name} changed"


def downloads(text: str) -> str:
    """Return a hash of the files that an executed notebook offers for download; one that is not there counts too."""
    folder = project_root() / "book" / "_static" / "data"
    return hash_files(filter(Path.is_file, (folder / name for name in sorted(set(DOWNLOAD.findall(text))))), folder)


def included() -> dict[str, str]:
    """Return a hash of each included folder, and one of the installed distributions with methods of their own."""
    found = {f"included {folder.name}": hash_files(code_below(folder), folder) for folder in included_folders()}
    points = {
        f"{point.name} {point.value}": point.dist and point.dist.version for point in entry_points(group="semalign")
    }
    return found | ({"entry points": json_fingerprint(points)} if points else {})


def code_below(folder: Path) -> Iterable[Path]:
    """Yield the files below a folder that are code, or that code reads."""
    return (path for path in files_below(folder) if path.suffix in CODE_SUFFIXES)


def outside(profile: Profile) -> dict[str, str]:
    """Return a hash of each model, split and task file of a profile that is not below ``data/``.

    A model's files are known by their sizes and times, since to read them all would take longer than the notebooks.
    """
    found = {f"model {name}": _model(name) for name in models_of(profile)}
    for task in filter(is_path, profile.tasks):
        found[f"task {Path(task).name}"] = _of([*task_file(task).files, *task_file(task).data.files.values()])
    for split in splits_of(profile):
        found[f"data {split}"] = _split(split)
    return {name: hashed for name, hashed in found.items() if hashed is not None}


def _model(name: str) -> str | None:
    """Return a hash of a model's files, of its revision if it is in the hub's cache, or None for one below data."""
    try:
        place = Path(locate(name))
    except FileNotFoundError:
        return None
    if not place.exists():  # an id on the hub
        config = try_to_load_from_cache(name, "config.json")
        return Path(config).parent.name if isinstance(config, str) else "absent"
    return _of([place])


def _split(split: Split) -> str | None:
    try:
        return _of(locate_split(*split))
    except FileNotFoundError:
        return None


def _of(places: Iterable[Path]) -> str | None:
    """Return a hash of the names, sizes and times of files and of all files of folders that are not below ``data/``."""
    elsewhere = [place.absolute() for place in places if not place.resolve().is_relative_to(data_dir().resolve())]
    files = sorted(path for place in elsewhere for path in files_below(place))
    known = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return json_fingerprint(known) if elsewhere else None
