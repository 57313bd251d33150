"""The type and the devices that a model is loaded with: arguments first, then the process's, then the machine's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from semalign.errors import one_line
from semalign.models import processes
from semalign.models.placement import process_placement


class Place(NamedTuple):
    """How a model is loaded.

    Attributes:
        dtype: type of its weights; None: the checkpoint's own.
        device: the one device that holds it, or None with a device map.
        device_map: how its modules are spread, in a form of transformers, or None for one device.
    """

    dtype: torch.dtype | None
    device: torch.device | None
    device_map: str | Mapping[str, Any] | None

    @property
    def main_device(self) -> torch.device:
        """The device, or with a map the one for what a map does not place: a GPU if there is one."""
        return self.device or torch.device("cuda" if torch.cuda.is_available() else "cpu")


TYPES = {"auto": None, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def chosen_place(
    dtype: torch.dtype | str | None = None,
    device: str | torch.device | None = None,
    device_map: str | Mapping[str, Any] | None = None,
) -> Place:
    """Return how a model is loaded; what is None is the process's choice (:mod:`semalign.models.placement`).

    Without any choice a model goes to a GPU in the checkpoint's type, or to the CPU in float32 where there is no GPU.

    Raises:
        ValueError: if there is no such type or device here, both a device and a map are given, or one of several
            processes is given a map or a numbered device.
    """
    process = process_placement()
    if device is not None and device_map is not None:
        raise ValueError("give a device or a device_map, not both")
    if device is None and device_map is None:
        device, device_map = process.device, process.device_map
    if processes.count() > 1 and (device_map is not None or ":" in str(device)):
        raise ValueError("each of several processes takes a GPU of its own: leave out the device or the device_map")
    if device_map is None:
        only = usable(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return Place(_type(dtype or process.dtype, on_cpu=only.type == "cpu"), only, None)
    return Place(_type(dtype or process.dtype, on_cpu=_on_cpu(device_map)), None, device_map)


def _type(dtype: torch.dtype | str | None, on_cpu: bool) -> torch.dtype | None:
    """Return a type of weights; ``auto`` and, on an accelerator, nothing stand for the checkpoint's."""
    if dtype is None:
        return torch.float32 if on_cpu else None
    if isinstance(dtype, str) and dtype in TYPES:
        return TYPES[dtype]
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(f"dtype must be {', '.join(TYPES)}, or a torch.dtype such as torch.bfloat16; it is {dtype!r}")
    return dtype


def _on_cpu(device_map: str | Mapping[str, Any]) -> bool:
    """Return whether a map leaves all computing to the CPU; raises for a device that cannot be used."""
    if isinstance(device_map, str):
        return not torch.cuda.is_available()
    devices = {usable(device).type for device in device_map.values() if device != "disk"}
    return not devices - {"cpu"}


def usable(device: Any) -> torch.device:
    """Return a device on which a tensor can be made; ``ValueError`` for any other."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"the device {device!r} cannot be used: {one_line(error)}") from error
