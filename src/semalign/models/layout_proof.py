"""A layout proves itself on two tokens, once for each model, before anything relies on it."""

from contextlib import ExitStack
from functools import partial
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn

from semalign.models.evaluating import evaluating
from semalign.models.offload import spread
from semalign.models.patching import entering, first
from semalign.models.precision import wide_type
from semalign.models.rope import own_lengths, varying

TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.1}
_proven: WeakSet[nn.Module] = WeakSet()


def prove(architecture: Any) -> None:
    """Make sure that a layout holds for a model, by passes over two tokens; a model is tried once.

    Two things must hold, up to the rounding of the model's type: for each layer, its input and what attention and MLP
    add are its output; and the logits of the states that :meth:`~semalign.models.architecture.Architecture.run`
    returns are the model's. A model without weights (on the meta device) cannot be tried, nor one that computes NaN
    or infinity, which other checks report.

    Args:
        architecture: the :class:`~semalign.models.architecture.Architecture` that is being made.

    Raises:
        ValueError: if one of them does not hold; it says which.
    """
    model = architecture.model
    if model in _proven or (any(p.is_meta for p in model.parameters()) and not spread(model)):
        return
    with evaluating(model):
        _check(architecture)
    _proven.add(model)


def _check(architecture: Any) -> None:
    model, dtype = architecture.model, architecture.head_weight.dtype
    vocabulary = len(architecture.head_weight)
    ids = torch.tensor([[vocabulary // 3, 2 * vocabulary // 3]], device=architecture.device)
    parts: list[dict[str, Tensor]] = [{} for _ in range(architecture.n_layers)]
    with ExitStack() as hooks:
        for k, seen in enumerate(parts, start=1):
            _watch(hooks, architecture, k, seen)
        with own_lengths(varying(architecture.decoder), None):
            logits = model(input_ids=ids, use_cache=False).logits
    tolerance = TOLERANCE.get(dtype, TOLERANCE[torch.bfloat16])
    for k, seen in enumerate(parts, start=1):
        if len(seen) < 4:
            raise _refused(architecture, f"layer {k} does not run its {', '.join({*PARTS} - {*seen})} as a module")
        added = seen["attention"] + seen["mlp"]
        # The output is rounded too, so that a large stream hides small additions.
        size = max(added.norm(), tolerance * seen["output"].norm())
        if (error := _relative(seen["output"] - seen["input"], added, size)) > tolerance:
            raise _refused(architecture, f"input + attention + MLP is not the output of layer {k}", error)
    own = architecture.logits(architecture.run(input_ids=ids))
    if (error := _relative(_wide(own), _wide(logits), _wide(logits).norm())) > tolerance:
        raise _refused(architecture, "the logits of the final states are not the model's", error)


PARTS = ("attention", "mlp", "input", "output")


def _watch(hooks: ExitStack, architecture: Any, k: int, seen: dict[str, Tensor]) -> None:
    """Let a layer and its two sub-layers tell what they take and give."""

    def layer(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        seen["input"], seen["output"] = _wide(entering(args, kwargs)), _wide(first(output))

    def writer(module: nn.Module, args: tuple, output: Any, name: str) -> None:
        seen[name] = _wide(architecture.added(first(output)))

    hooks.callback(architecture.layer(k).register_forward_hook(layer, with_kwargs=True).remove)
    for name in ("attention", "mlp"):
        hooks.callback(architecture.writer(k, name).register_forward_hook(partial(writer, name=name)).remove)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to("cpu", wide_type(tensor.dtype)).clone()


def _relative(ours: Tensor, theirs: Tensor, size: Tensor) -> float:
    """Return the norm of a difference over a size; 0 if it is not finite, or both are zero."""
    error = float((ours - theirs).norm() / size)
    return error if error == error and error != float("inf") else 0.0


def _refused(architecture: Any, what: str, error: float | None = None) -> ValueError:
    kind = architecture.model.config.model_type
    by = "" if error is None else f" (relative difference {error:.2g})"
    return ValueError(
        f"the layout of {kind!r} does not hold for this {type(architecture.model).__name__}: {what}{by}; "
        "write the right one as YAML, as in examples/architecture, and give its folder: --include FOLDER"
    )
