"""Models that Accelerate spreads over devices: weights that are kept on the CPU or the disk between two uses.

Accelerate puts a hook on every module. Before the module's forward, the hook moves its inputs to the module's device
and, if the module is offloaded, its weights too; between two uses such a weight has a shape but no values (``meta``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from accelerate.utils import set_module_tensor_to_device
from torch import Tensor, nn


def spread(model: nn.Module) -> bool:
    """Return whether a device map spreads a model, so that its modules move their inputs."""
    return any(hasattr(module, "_hf_hook") for module in model.modules())


def _kept_by(module: nn.Module) -> Any:
    """Return the hook that keeps a module's own weights elsewhere, or None."""
    hook = getattr(module, "_hf_hook", None)
    return hook if getattr(hook, "offload", False) else None


def whole_state(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and saved buffers by name, as ``state_dict`` does, with the values of those kept elsewhere.

    Those on disk are mapped into memory, not read, where their type on disk is the model's.
    """
    state = dict(model.state_dict())
    for path, module in model.named_modules():
        if (hook := _kept_by(module)) is not None:
            names = {name: f"{path}.{name}" if path else name for name, _ in module.named_parameters(recurse=False)}
            state |= {full: hook.weights_map[name].to(state[full].dtype) for name, full in names.items()}
    return state


def hold(module: nn.Module) -> None:
    """Bring the weights of a module, and of all inside it, to the device where they compute, and keep them there."""
    for part in module.modules():
        _hold_own(part)


def _hold_own(module: nn.Module) -> None:
    if (hook := _kept_by(module)) is None:
        return
    for name, _ in list(module.named_parameters(recurse=False)):
        set_module_tensor_to_device(module, name, hook.execution_device, value=hook.weights_map[name])
    add_hook_to_module(module, AlignDevicesHook(hook.execution_device, skip_keys=hook.skip_keys))


@contextmanager
def dispatched_already(model: nn.Module) -> Iterator[None]:
    """Keep PEFT from spreading a model a second time while the block runs, which it does where it sees a device map."""
    found = vars(model).pop("hf_device_map", None)
    try:
        yield
    finally:
        if found is not None:
            model.hf_device_map = found


def hold_ends(model: nn.Module) -> None:
    """Keep all but the decoder layers on their devices: embeddings, norms and the head are read outside of a forward.

    A head that is tied to the embeddings is tied again.
    """
    parts = list(_outside_layers(model))
    if any(_kept_by(part) is not None for part in parts):
        for part in parts:
            _hold_own(part)
        model.tie_weights()  # type: ignore[operator]


def _outside_layers(module: nn.Module) -> Iterator[nn.Module]:
    yield module
    for child in module.children():
        if not isinstance(child, nn.ModuleList):
            yield from _outside_layers(child)


def shared_maps(model: nn.Module) -> dict[int, Any]:
    """Return what a copy of a model shares with it, as a memo of ``deepcopy``: the weights that are kept elsewhere."""
    hooks = [hook for module in model.modules() if (hook := _kept_by(module)) is not None]
    return {id(hook.weights_map): hook.weights_map for hook in hooks}
