"""The settings of a diagnosis: those that it refuses, and those that a transfer by its advice must repeat."""

from collections.abc import Mapping
from typing import Any

from semalign.models.architecture import check_interface
from semalign.settings import TransferSettings

REPEATED = ("fold_norm", "ridge_penalty", "positions")  # settings of targets that the measured maps were made with
OTHER = (  # settings that change targets beside the map, or name layers, which are an argument
    *("atoms", "top_atoms", "temperature", "interpolate", "centre_targets"),
    *("teacher_layer", "student_layer", "student_layers"),
)


def check_settings(settings: TransferSettings) -> None:
    """Refuse settings of targets that no map of a diagnosis makes.

    Raises:
        ValueError: for such a setting, or an interface at which a state cannot be replaced.
    """
    if given := [name for name in OTHER if getattr(settings, name) != _default(name)]:
        raise ValueError(f"a diagnosis compares maps at layers of its own, and does not use {given[0]}: leave it out")
    check_interface(settings.interface)


def repeated(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a diagnosis that a transfer by its advice must repeat: those that change targets or rows.

    Args:
        configuration: all settings of a diagnosis.
    """
    return {name: configuration[name] for name in REPEATED if configuration[name] != _default(name)}


def _default(name: str) -> Any:
    return TransferSettings.model_fields[name].default
