"""Profiles as the ledger uses them: read once, with their numbers of rows, and the names that entries have there."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from semalign.book.claims.stamps import Stamp, stamp
from semalign.experiments.profile_content import profile_files
from semalign.experiments.profiles import Profile, load_profile

PROFILE = "{profile}"  # in a test of the ledger: stands for each of the profiles that it is given
ROWS = "{rows}"  # in its subject: the numbers of training rows of the profile
Renamed = Mapping[str, str | None]


def profile_of(name: str) -> Profile:
    """Return a profile, which is read again once its file or one that it is based on has changed.

    Raises:
        FileNotFoundError: if there is no such profile.
    """
    return _profile(name, *map(stamp, profile_files(name)))


@lru_cache(maxsize=32)
def _profile(name: str, *files: Stamp) -> Profile:
    """Return a profile; what it is read from (``files``) only tells apart what is kept."""
    return load_profile(name)


def sizes(profile: str) -> list[int]:
    """Return the numbers of training rows of a profile's tasks."""
    return [task.train_size or 0 for task in profile_of(profile).tasks.values()]


def filled(text: str, profile: str) -> str:
    """Return a text of a test with the name of a profile and its numbers of rows in their places."""
    named = text.replace(PROFILE, profile)
    return named.replace(ROWS, rows_text(profile)) if ROWS in named else named


def rows_text(profile: str) -> str:
    """Return the numbers of training rows of a profile's tasks, as in ``300 to 1,000``."""
    found = sorted(sizes(profile))
    return " to ".join(f"{size:,}" for size in dict.fromkeys([found[0], found[-1]]))


def renamed_pattern(pattern: str, renamed: Renamed) -> str | None:
    """Return a pattern of records, such as ``micro/sft--*``, with another entry in its place; None without one."""
    folder, _, name = pattern.rpartition("/")
    entry, dashes, rest = name.partition("--")
    new = renamed.get(entry, entry)
    return None if new is None else f"{folder}/{new}{dashes}{rest}"


def renamed_value(value: Any, renamed: Renamed) -> Any:
    """Return what a test is given with other names of entries; one that is renamed to nothing is left out of a list."""
    if isinstance(value, list):
        return [new for each in value if (new := renamed_value(each, renamed)) is not None]
    return renamed.get(value, value) if isinstance(value, str) else value
