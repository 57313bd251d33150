"""Where models go and the type of their numbers, for a whole process: three variables, set by options and profiles.

``SEMALIGN_DTYPE``, ``SEMALIGN_DEVICE`` and ``SEMALIGN_DEVICE_MAP`` hold for this process and those that it starts, such
as notebooks and jobs. Importing this module does not load PyTorch.
"""

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from semalign.errors import problems
from semalign.yaml_text import parse, read_mapping

VARIABLES = {"dtype": "SEMALIGN_DTYPE", "device": "SEMALIGN_DEVICE", "device_map": "SEMALIGN_DEVICE_MAP"}
OTHER = {"device": "device_map", "device_map": "device"}  # of these only one can be given
GPU_FILES = ("/dev/nvidiactl", "/dev/nvmap", "/dev/kfd", "/dev/dxg")  # without one of them CUDA has no GPU
DEVICES = r"^(cpu|mps|(cuda|xpu)(:\d{1,3})?)$"


class Placement(BaseModel):
    """Where a model goes and the type of its numbers; what is None is left to what comes next.

    An argument of :func:`semalign.load_model` comes first, then the variables, which the command line sets, then a
    profile's ``models``, then float32 on a CPU and the checkpoint's own type on a GPU, if there is one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Literal["float32", "float16", "bfloat16", "auto"] | None = Field(
        None, description="type of the weights and of forward passes; auto: the checkpoint's"
    )
    device: str | None = Field(None, pattern=DEVICES, description="cpu, cuda, cuda:N, xpu, xpu:N or mps")
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | dict[str, int | str] | None = Field(
        None, description="how the layers of a model are spread over devices: a way of transformers, or module: device"
    )

    @model_validator(mode="after")
    def _check_one(self) -> "Placement":
        if self.device is not None and self.device_map is not None:
            raise ValueError("device and device_map exclude each other: leave one out")
        if self.device_map == {}:
            raise ValueError("the device_map is empty: give a device for each module, or auto")
        return self


def read(**texts: str | None) -> Placement:
    """Return a placement from texts; ``device_map`` may be a way, a YAML file or a mapping in YAML.

    Raises:
        ValueError: for a wrong value; in one line, with the values that are allowed.
        FileNotFoundError: for a YAML file that does not exist.
    """
    values: dict[str, Any] = {name: text for name, text in texts.items() if text}
    if "device_map" in values:
        values["device_map"] = _map(values["device_map"])
    return checked(values)


def checked(values: dict[str, Any]) -> Placement:
    """Return a placement; ``ValueError`` in one line for a wrong value."""
    try:
        return Placement.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0]) if wrong["loc"] else ""
        if name in Placement.model_fields:
            raise ValueError(f"{name} {values[name]!r} is not {_ALLOWED[name]}") from error
        raise ValueError(problems(error)) from error


_ALLOWED = {
    "dtype": "one of float32, float16, bfloat16, auto",
    "device": "one of cpu, cuda, cuda:N, xpu, xpu:N, mps",
    "device_map": "auto, balanced, balanced_low_0, sequential, or a mapping from modules to devices",
}


def _map(text: str) -> Any:
    if text.endswith((".yaml", ".yml")):
        if not Path(text).is_file():
            raise FileNotFoundError(f"no file {text} with a device map")
        return read_mapping(Path(text))
    return parse(text, "the device map")


def process_placement() -> Placement:
    """Return what the variables say; ``ValueError`` names the variable with a wrong value."""
    found = {}
    for name, variable in VARIABLES.items():
        try:
            found[name] = getattr(read(**{name: os.environ.get(variable)}), name)
        except ValueError as error:
            raise ValueError(f"the variable {variable}: {error}") from error
    if found["device"] is not None and found["device_map"] is not None:
        raise ValueError("the variables SEMALIGN_DEVICE and SEMALIGN_DEVICE_MAP exclude each other: unset one")
    return Placement(**found)


def certain_type() -> str | None:
    """Return the type of weights that models are loaded in, as a text, where it is certain without PyTorch.

    ``None`` as a text is the checkpoint's own type; None is returned where PyTorch must be asked for a GPU.
    """
    chosen = process_placement()
    if chosen.device_map is not None or chosen.device not in (None, "cpu"):
        return None
    if chosen.dtype is not None:
        return str(None) if chosen.dtype == "auto" else f"torch.{chosen.dtype}"
    has_gpu = chosen.device is None and any(Path(file).exists() for file in GPU_FILES)
    return None if has_gpu else "torch.float32"


_FROM_PROFILE: dict[str, str] = {}  # variables that a profile has set, with their values


def place(chosen: Placement) -> None:
    """Place the models of this process and those that it starts; what is None stays as it is."""
    for name, value in chosen.model_dump(exclude_none=True).items():
        os.environ[VARIABLES[name]] = value if isinstance(value, str) else json.dumps(value)
        _FROM_PROFILE.pop(VARIABLES[name], None)
        if name in OTHER:
            os.environ.pop(VARIABLES[OTHER[name]], None)


def place_unless_set(chosen: Placement) -> None:
    """Place models as :func:`place` does, where the variables do not say otherwise.

    What an earlier call has set does not count: a process may use one profile after another.
    """
    for variable, value in _FROM_PROFILE.items():
        if os.environ.get(variable) == value:
            del os.environ[variable]
    now = process_placement()
    taken = {name for name in VARIABLES if getattr(now, name) is not None}
    taken |= {OTHER[name] for name in taken & OTHER.keys()}
    followed = chosen.model_copy(update=dict.fromkeys(taken))
    place(followed)
    _FROM_PROFILE.clear()
    set_now = (VARIABLES[name] for name in followed.model_dump(exclude_none=True))
    _FROM_PROFILE.update({variable: os.environ[variable] for variable in set_now})
