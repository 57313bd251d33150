"""Task files: what the YAML of a task says, of the bundled tasks and of a user's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from semalign.data.row_files import Rows, read_file
from semalign.data.sources import dataset_rows
from semalign.data.task_check import FILES, check_task
from semalign.data.task_yaml import CODE, functions_in, read_yaml, with_functions
from semalign.errors import folded, nearest
from semalign.files import file_sha256, json_fingerprint

FOLDER = Path(__file__).with_name("task_files")
SPLITS = {"train": "training_split", "validation": "validation_split", "test": "test_split"}


class TaskData(NamedTuple):
    """Where the items of a task are.

    Attributes:
        dataset: name of the data set, below a data root or on the hub; ``json``, ``csv`` or ``parquet`` for own files.
        config: configuration of the data set.
        splits: the data's own names of the splits ``train``, ``validation`` and ``test``.
        files: the task's own files, by the data's name of the split; empty for a data set.
    """

    dataset: str
    config: str | None
    splits: Mapping[str, str]
    files: Mapping[str, Path]

    def rows(self, split: str) -> Rows:
        """Return the rows of ``train``, ``validation`` or ``test``, or of a split by the data's own name.

        Raises:
            FileNotFoundError: if there is no such split.
        """
        name = self.splits.get(split, split)
        if not self.files:
            return dataset_rows(self.dataset, self.config, name)
        if name not in self.files:
            raise FileNotFoundError(f"no split {split!r}: the task's data_files are {', '.join(self.files)}")
        return read_file(self.files[name])


@dataclass(frozen=True)
class TaskFile:
    """One task file.

    Attributes:
        path: the YAML.
        content: what it and the files that it includes say; functions are not imported.
        files: what its meaning depends on: itself, the files that it includes, the modules of its functions.
        fingerprint: hash of these files.
    """

    path: Path
    content: Mapping[str, Any]
    files: tuple[Path, ...]
    fingerprint: str

    @property
    def name(self) -> str:
        """Name of the task: that of the file, without its suffix."""
        return self.path.stem

    @property
    def bundled(self) -> bool:
        """Whether the file comes with this package."""
        return self.path.parent == FOLDER

    @property
    def own_file(self) -> dict[str, str]:
        """What a configuration says of a user's own file: its ``task_file`` hash; nothing of a bundled one."""
        return {} if self.bundled else {"task_file": self.fingerprint}

    @property
    def metadata(self) -> dict[str, Any]:
        """What the file says beyond lm-eval's own keys: version, primary metric, chat format, training data."""
        return self.content["metadata"]

    @property
    def version(self) -> float:
        """Version of the task."""
        return float(self.metadata["version"])

    @property
    def data(self) -> TaskData:
        """Where the items are."""
        dataset = self.content["dataset_path"]
        splits = {split: self.content[key] for split, key in SPLITS.items() if key in self.content}
        named = self.content["dataset_kwargs"]["data_files"] if dataset in FILES else {}
        files = {split: self.path.parent / file for split, file in named.items()}
        return TaskData(dataset, self.content.get("dataset_name"), splits, files)

    @property
    def runs_programs(self) -> bool:
        """Whether the task is scored by running what the model wrote."""
        return any(function.module == CODE for function in functions_in(self.content))

    def configuration(self) -> dict[str, Any]:
        """Return lm-eval's configuration of the task: a copy of the content, with functions, under the task's name."""
        return {**with_functions(self.content), "task": self.name}


_read: dict[Path, TaskFile] = {}


def task_names() -> list[str]:
    """Return the names of the bundled tasks."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def is_path(task: str | Path) -> bool:
    """Return whether a task is given by the path of its file instead of a name."""
    return Path(task).suffix in (".yaml", ".yml")


def task_name(task: str | Path) -> str:
    """Return the name of a task, which for a file is its name without the suffix."""
    return Path(task).stem if is_path(task) else str(task)


def task_file(task: str | Path) -> TaskFile:
    """Return the file of a task, read once and again when it changes.

    Args:
        task: the name of a bundled task, or the path of a YAML file.

    Raises:
        FileNotFoundError: if there is no such file, or no file of its data.
        ValueError: for an unknown name, with the nearest one, or a file that is no complete task; in one line.
    """
    if not isinstance(task, str | Path):
        raise ValueError(f"no task {task!r}: give a name, or the path of a YAML file")
    path = Path(task).expanduser().resolve() if is_path(task) else _bundled(str(task))
    known = _read.get(path)
    if known is None or known.fingerprint != _fingerprint(known.files):
        known = _read[path] = _checked(path)
    return known


def _bundled(name: str) -> Path:
    if name not in task_names():
        names = ", ".join(task_names())
        raise ValueError(
            f"no task {name!r}: choose from {names}, or give the path of a YAML file{nearest(name, task_names())}"
        )
    return FOLDER / f"{name}.yaml"


def _checked(path: Path) -> TaskFile:
    source = read_yaml(path, FOLDER)
    found = TaskFile(path, source.content, source.files, _fingerprint(source.files))
    if found.bundled:
        return found
    if found.name in task_names():
        raise ValueError(f"{path}: {found.name} is a bundled task, and records go by the name: rename the file")
    try:
        check_task(found.content, path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {folded(error)}") from error
    return found


def _fingerprint(files: tuple[Path, ...]) -> str:
    return json_fingerprint([[file.name, file_sha256(file)] for file in files if file.is_file()])
