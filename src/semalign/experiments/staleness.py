"""Whether a record is whole, and still of what is here: the models, data and settings that it was made from."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from semalign.methods.registry import Method
from semalign.results.records import DamagedRecordError, read_record
from semalign.settings import deciding

MISSING = "missing"

Asked = tuple[Mapping[str, str | None], Mapping[str, Any]]


def problem(path: Path, asked: Callable[[dict[str, Any]], Asked], *needed: str) -> str | None:
    """Return why a record has to be made: ``missing``, ``damaged: ...`` or ``stale: other ...``; None if it need not.

    Args:
        path: the record.
        asked: returns the fingerprints and the settings that the record must have; see :func:`changes`.
        needed: places of the numbers that it must have, such as ``value`` or ``details.after.response_nll``.
    """
    if not path.is_file():
        return MISSING
    try:
        record = read_record(path)
    except DamagedRecordError as error:
        return f"damaged: {error.reason}"
    if lacking := [place for place in needed if not isinstance(_at(record, place), int | float)]:
        return f"damaged: no number {', '.join(lacking)}"
    differing = changes(record, *asked(record))
    return f"stale: other {', '.join(differing)}" if differing else None


def _at(record: Any, place: str) -> Any:
    for key in place.split("."):
        record = record.get(key) if isinstance(record, Mapping) else None
    return record


def resolved(method: Method, given: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a method that a record must have: the given ones, and the defaults of those it knows.

    A setting that the record does not know is younger than the record, which was made under what is now its default.
    Settings that change no result (:data:`semalign.settings.MEMORY`) may be others.
    """
    known, wanted = {*record["configuration"], *given}, deciding(method.settings(**given).model_dump(mode="json"))
    return {key: value for key, value in wanted.items() if key in known}


def changes(
    record: Mapping[str, Any], fingerprints: Mapping[str, str | None], configuration: Mapping[str, Any]
) -> list[str]:
    """Return the names of the fingerprints and settings in which a record differs from what is asked for.

    Args:
        record: a run record.
        fingerprints: of the models and data; one that only the record has counts as a difference.
        configuration: settings; those that only the record has do not matter.
    """
    made, settings = record["fingerprints"], record["configuration"]
    other = [key for key in {**fingerprints, **made} if made.get(key) != fingerprints.get(key)]
    return other + [key for key, value in configuration.items() if key not in settings or settings[key] != value]
