"""Where profiles are: found without loading the library, so that a wrong name is told at once."""

from pathlib import Path

from semalign.errors import nearest

FOLDER = Path(__file__).with_name("profile_files")


def profile_names() -> list[str]:
    """Return the names of the packaged profiles."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "defaults")


def profile_path(name: str | Path) -> Path:
    """Return the file of a profile: a packaged one by its name, or the path of a YAML file.

    Raises:
        FileNotFoundError: if there is no such profile.
    """
    path = Path(name) if Path(str(name)).suffix in (".yaml", ".yml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        names = profile_names()
        raise FileNotFoundError(
            f"no profile {str(name)!r}: give a YAML file or one of {', '.join(names)}{nearest(name, names)}"
        )
    return path
