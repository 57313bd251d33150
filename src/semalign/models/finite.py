"""NaN and infinity: found in weights when a model is loaded, and in what it computes before anything uses it."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semalign.models.architecture import Architecture
from semalign.models.offload import whole_state
from semalign.models.patching import first


class NotFiniteError(ValueError, FloatingPointError):
    """A model holds or computes NaN or infinity; the message names the model, and the weight or the layer."""


def damaged_weight(model: nn.Module) -> str | None:
    """Return the name of the first weight or buffer that holds NaN or infinity, or None."""
    for name, tensor in whole_state(model).items():
        # The extremes are NaN if any number is, and need no memory; 8-bit types have no extremes.
        if tensor.is_floating_point() and tensor.dtype.itemsize > 1 and tensor.numel():
            if not all(map(torch.isfinite, tensor.detach().aminmax())):
                return name
    return None


def check_weights(model: nn.Module, name: str) -> None:
    """Make sure that all weights of a model are finite.

    Raises:
        NotFiniteError: for NaN or infinity; it names the weight.
    """
    if (weight := damaged_weight(model)) is not None:
        raise NotFiniteError(
            f"{name}: {weight} holds NaN or infinity: the file is damaged, or was converted to too small a type; "
            "get it again"
        )


def check_finite(values: Tensor, what: str, architecture: Architecture, rerun: Callable[[], Any]) -> None:
    """Make sure that what a model computed is finite.

    Args:
        values: what it computed.
        what: the first words of the message, such as ``the states``.
        architecture: the model.
        rerun: computes the same again, which finds the layer; called only if the values are not finite.

    Raises:
        NotFiniteError: for NaN or infinity; it names the model, and the weight or the first layer that gives them.
    """
    if not torch.isfinite(values).all():
        raise not_finite(what, architecture, rerun)


def check_logits(logits: Tensor, model: nn.Module, rerun: Callable[[], Any]) -> None:
    """Make sure that logits hold no NaN and no positive infinity; -inf is a token that cannot be.

    The largest of them tells both. ``rerun`` and the error are those of :func:`check_finite`; a model of an unknown
    architecture is named without the layer.
    """
    if logits.numel() and not logits.amax() < torch.inf:
        try:
            architecture = Architecture(model)  # type: ignore[arg-type]
        except ValueError:
            message = f"the logits of {model_name(model)} are not finite: load it in a wider dtype"
            raise NotFiniteError(message) from None
        raise not_finite("the logits", architecture, rerun)


def model_name(model: nn.Module) -> str:
    """Return the last part of where a model came from, or the name of its class."""
    return Path(getattr(model.config, "name_or_path", "") or type(model).__name__).name


def not_finite(what: str, architecture: Architecture, rerun: Callable[[], Any]) -> NotFiniteError:
    """Return the error that says where numbers stop being finite; arguments as of :func:`check_finite`."""
    model = architecture.model
    name = model_name(model)
    if (weight := damaged_weight(model)) is not None:
        return NotFiniteError(f"{what} of {name} are not finite, as its {weight} holds NaN or infinity: get it again")
    place = first_place(architecture, rerun)
    dtype = str(architecture.head_weight.dtype).removeprefix("torch.")
    cure = "bfloat16 or float32" if dtype == "float16" else "a wider dtype, if its weights are not damaged"
    where = "although no state is: only the loss or its gradient" if place is None else f"first in {place}"
    return NotFiniteError(f"{what} of {name} are not finite, {where} (in {dtype}): load the model in {cure}")


def first_place(architecture: Architecture, rerun: Callable[[], Any]) -> str | None:
    """Run something with a model and return the first part of it whose output is not finite, or None."""
    found: list[str] = []

    def look(module: nn.Module, args: tuple, output: Any, place: str) -> None:
        if not found and not torch.isfinite(first(output).detach()).all():
            found.append(place)

    with ExitStack() as hooks:
        for place, module in _parts(architecture).items():
            hooks.callback(module.register_forward_hook(partial(look, place=place)).remove)
        rerun()
    return found[0] if found else None


def _parts(architecture: Architecture) -> dict[str, nn.Module]:
    parts: dict[str, nn.Module] = {"the embeddings": architecture.model.get_input_embeddings()}
    for k in range(1, architecture.n_layers + 1):
        parts |= {f"the {kind} output of layer {k}": architecture.writer(k, kind) for kind in ("attention", "mlp")}
        parts[f"layer {k}"] = architecture.layer(k)
    return parts | {"the final norm": architecture.norm, "the LM head": architecture.lm_head}
