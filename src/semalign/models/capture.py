"""Read hidden states from a running model, and run only some of its decoder layers.

Everything here is a context manager or a single call. No hook and no patch outlives it, and none changes a result.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from semalign.models.architecture import Architecture, check_interface
from semalign.models.head_outputs import HEADS, added_by_heads, check_heads
from semalign.models.patching import entering, first, patched_forward


@contextmanager
def capture(architecture: Architecture, layers: Sequence[int], interface: str) -> Iterator[dict[int, Tensor]]:
    """Collect the states of some layers at a supervision interface while the block runs.

    Args:
        architecture: the model to watch.
        layers: 1-based layer numbers.
        interface: ``"attention"`` or ``"mlp"``: the sub-layer's output before the residual addition;
            ``"residual"``: what the whole layer adds, output minus input; ``"layer"``: the layer's output;
            ``"heads"``: what each attention head adds, see :mod:`semalign.models.head_outputs`.

    Yields:
        A dict that each forward pass fills: layer number to states of shape (batch, tokens, D), or (batch, tokens,
        heads, D) for heads, with gradients if the pass records them.

    Raises:
        ValueError: for an unknown interface or a layer outside 1..L, and for heads whose outputs do not add up.
    """
    attach = _attach_heads if interface == HEADS else partial(_attach, interface=check_interface(interface))
    states: dict[int, Tensor] = {}
    with ExitStack() as hooks:
        for k in layers:
            attach(hooks, architecture, k, states)
        yield states


def _attach(hooks: ExitStack, architecture: Architecture, k: int, states: dict[int, Tensor], interface: str) -> None:
    def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        state = first(output)
        if interface in ("attention", "mlp"):
            state = architecture.added(state)
        elif interface == "residual":
            state = state - entering(args, kwargs).to(state.device)
        states[k] = state.to(architecture.device)

    writer = architecture.writer(k, interface)
    hooks.callback(writer.register_forward_hook(hook, with_kwargs=True).remove)


def _attach_heads(hooks: ExitStack, architecture: Architecture, k: int, states: dict[int, Tensor]) -> None:
    mixer, outputs = architecture.head_mixer(k), list[Tensor]()

    def keep(module: nn.Module, args: tuple) -> None:
        outputs[:] = args[:1]

    def add(module: nn.Module, args: tuple, output: Any) -> None:
        # After the layer, whose own work may be done again in the backward pass, when the hooks are gone.
        states[k] = architecture.added(added_by_heads(mixer, outputs.pop(), architecture.n_heads)).to(
            architecture.device
        )

    check_heads(architecture)
    hooks.callback(mixer.register_forward_pre_hook(keep).remove)
    hooks.callback(architecture.layer(k).register_forward_hook(add).remove)


def _pass_through(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return hidden_states


@contextmanager
def only_layers(architecture: Architecture, first_layer: int, last_layer: int) -> Iterator[None]:
    """Run only decoder layers ``first_layer..last_layer`` while the block runs; the others pass states through.

    Layers keep their numbers, so masks and rotary settings that depend on the number stay right. An empty
    range (``last_layer < first_layer``) skips every layer.
    """
    with ExitStack() as patches:
        for k in range(1, architecture.n_layers + 1):
            if not first_layer <= k <= last_layer:
                patches.enter_context(patched_forward(architecture.layer(k), _pass_through))
        yield


def states_entering(
    architecture: Architecture,
    k: int,
    input_ids: Int[Tensor, "batch tokens"],
    attention_mask: Int[Tensor, "batch tokens"],
) -> Float[Tensor, "batch tokens d"]:
    """Return the hidden states that enter layer ``k``, running layers 1..k-1 only."""
    seen: list[Tensor] = []

    def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        seen.append(entering(args, kwargs).to(architecture.device))

    handle = architecture.layer(k).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        with only_layers(architecture, 1, k - 1):
            architecture.run(attention_mask, input_ids=input_ids)
    finally:
        handle.remove()
    return seen[0]


def states_at(
    architecture: Architecture,
    layers: Sequence[int],
    interface: str,
    input_ids: Int[Tensor, "batch tokens"],
    attention_mask: Int[Tensor, "batch tokens"],
) -> dict[int, Tensor]:
    """Return the states of some layers at an interface, by a forward pass that stops at the deepest of them."""
    with capture(architecture, layers, interface) as states, only_layers(architecture, 1, max(layers)):
        architecture.run(attention_mask, input_ids=input_ids)
    return states


def run_from(
    architecture: Architecture,
    k: int,
    states: Float[Tensor, "batch tokens d"],
    attention_mask: Int[Tensor, "batch tokens"],
) -> Float[Tensor, "batch tokens d"]:
    """Run layers k..L and the final norm on states that enter layer ``k``, as from :func:`states_entering`."""

    def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return ((states, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": states})

    handle = architecture.layer(k).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        with only_layers(architecture, k, architecture.n_layers):
            # As embeddings the states only give the shapes: some models scale embeddings or add positions, so the
            # hook puts the states themselves in front of layer k.
            return architecture.run(attention_mask, inputs_embeds=states)
    finally:
        handle.remove()
