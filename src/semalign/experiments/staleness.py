"""Whether a record is still of what is here: the models, data and settings that it was made from."""

from collections.abc import Mapping
from typing import Any

from semalign.methods.registry import Method

MISSING = "missing"


def resolved(method: Method, given: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a method that a record must have: the given ones, and the defaults of those it knows.

    A setting that the record does not know is younger than the record, which was made under what is now its default.
    """
    known = {*record["configuration"], *given}
    return {key: value for key, value in method.settings(**given).model_dump(mode="json").items() if key in known}


def changes(record: Mapping[str, Any], fingerprints: Mapping[str, str], configuration: Mapping[str, Any]) -> list[str]:
    """Return the names of the fingerprints and settings in which a record differs from what is asked for.

    Args:
        record: a run record.
        fingerprints: of the models and data; one that only the record has counts as a difference.
        configuration: settings; those that only the record has do not matter.
    """
    made, settings = record["fingerprints"], record["configuration"]
    other = [key for key in {**fingerprints, **made} if made.get(key) != fingerprints.get(key)]
    return other + [key for key, value in configuration.items() if key not in settings or settings[key] != value]
