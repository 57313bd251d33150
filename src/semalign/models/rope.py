"""Rotary positions that depend on the length of a text (longrope, dynamic NTK): each row of a batch by its own length.

Such a rope compares one length with the context of the first training, and takes other frequencies for longer texts.
PyTorch modules of transformers take the length of the padded batch, and those of dynamic NTK also remember the longest
text so far: a row's states would depend on its batch and on what ran before.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from semalign.models.patching import patched_forward

INITIAL = "original_inv_freq"  # transformers keeps the first frequencies next to those in use, `inv_freq`


def varying(model: nn.Module) -> list[nn.Module]:
    """Return the rotary modules of a model whose frequencies depend on the length of the text."""
    return [module for module in model.modules() if any(map(depends_on_length, _types(module)))]


def _types(module: nn.Module) -> list[str]:
    kind = getattr(module, "rope_type", None)
    return [kind] if isinstance(kind, str) else list(kind.values()) if isinstance(kind, dict) else []


def rope_kinds(parameters: Any) -> list[str]:
    """Return the types of rope that a configuration names: one, or one for each type of layer."""
    found = parameters if isinstance(parameters, dict) else {}
    each = [found, *(value for value in found.values() if isinstance(value, dict))]
    return [part["rope_type"] for part in each if isinstance(part.get("rope_type"), str)]


def depends_on_length(kind: str) -> bool:
    """Return whether a type of rope depends on the length of the text."""
    return kind == "longrope" or "dynamic" in kind


def reset(module: nn.Module) -> None:
    """Let a rotary module forget the texts that it has seen."""
    for name, tensor in list(module.named_buffers(recurse=False)):
        if name.endswith(INITIAL):
            module.register_buffer(name.replace(INITIAL, "inv_freq"), tensor, persistent=False)
    for name in list(vars(module)):
        if name.endswith("max_seq_len_cached"):
            setattr(module, name, module.original_max_seq_len)


@contextmanager
def own_lengths(modules: Sequence[nn.Module], attention_mask: Int[Tensor, "batch tokens"] | None) -> Iterator[None]:
    """Give each row the positions and the rope that it has alone, while the block runs.

    Args:
        modules: the rotary modules of a model, as :func:`varying` finds them.
        attention_mask: 1 for tokens, 0 for padding on either side; None: there is no padding.
    """
    if not modules:
        yield
        return
    positions = None if attention_mask is None else (attention_mask.long().cumsum(-1) - 1).clamp_min(0)
    with ExitStack() as patches:
        for module in modules:
            forward = partial(_row_by_row, module=module, forward=module.forward, positions=positions)
            patches.callback(reset, module)
            patches.enter_context(patched_forward(module, forward))
        yield


def _row_by_row(
    x: Tensor,
    position_ids: Tensor,
    *args: Any,
    module: nn.Module,
    forward: Callable[..., tuple[Tensor, Tensor]],
    positions: Tensor | None,
    **kwargs: Any,
) -> tuple[Tensor, ...]:
    """Return cosines and sines of each row, shape (batch, tokens, d_head)."""
    found = []
    for row in position_ids if positions is None else positions:
        reset(module)
        found.append(forward(x[:1], row[None], *args, **kwargs))
    return tuple(torch.cat(parts) for parts in zip(*found, strict=True))
