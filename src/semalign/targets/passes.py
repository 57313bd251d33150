"""Forward passes whose states are stored: teacher states for the targets, and student states for the trained layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from semalign.data.rows import Example, pad
from semalign.files import json_fingerprint
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.capture import capture, only_layers, states_entering
from semalign.models.evaluating import evaluating
from semalign.models.finite import check_finite
from semalign.models.head_outputs import HEADS
from semalign.models.identity import computed_by
from semalign.models.precision import wide, wide_type
from semalign.models.rope import varying
from semalign.targets.store import StateStore, ensure_all

FORWARD_EXAMPLES = 16  # the most examples in one forward pass while states are computed
Mixture = Sequence[tuple[int, float]]


class Kind(NamedTuple):
    """States of one kind, which have a store of their own.

    Attributes:
        what: what they are called.
        key: what tells them from other kinds.
        at: for each example, the positions whose states are stored.
        dtype: their type on disk.
        each: number of states of a position.
        mixture: the layers that they are mixed of, with their weights; none for states of another place.
    """

    what: str
    key: dict[str, Any]
    at: Sequence[Sequence[int]]
    dtype: torch.dtype
    each: int = 1
    mixture: Mixture = ()


Run = Callable[[Architecture, Sequence[Kind], Tensor, Tensor], list[Tensor]]


@dataclass(frozen=True)
class StatePasses:
    """The states of one model on its examples; each kind is computed once and stored on disk.

    Attributes:
        model: teacher or student; with ``weights``, its outline is enough.
        examples: the rows, encoded for this model.
        at: for each example, the positions whose states are stored.
        folder: folder of the stores.
        fingerprint: the model's identity.
        weights: function that returns the model with the layers that the states need, asked only where states are
            missing; by default the model itself.
    """

    model: Architecture
    examples: Sequence[Example]
    at: Sequence[list[int]]
    folder: Path
    fingerprint: str
    weights: Callable[[], Architecture] | None = None

    def layer_states(self, mixtures: Sequence[Mixture], interface: str, *, final: bool = False) -> list[StateStore]:
        """Return the states of each mixture at an interface and, last of all, those after the final norm if asked for.

        The same forward passes give all of them, up to the deepest layer whose states are missing. Logits are computed
        from final states when needed, and never stored.

        Args:
            mixtures: layers with their weights: ``[(layer, 1.0)]``, or two neighbours to interpolate.
            interface: ``attention``, ``mlp``, ``residual`` or ``layer``; or ``heads``: a position then has the states
                of all heads, one after the other.
            final: whether to return the states after the final norm, too.
        """

        def run(model: Architecture, kinds: Sequence[Kind], input_ids: Tensor, mask: Tensor) -> list[Tensor]:
            layers = sorted({layer for kind in kinds for layer, _ in kind.mixture})
            deepest = max(layers) if all(kind.mixture for kind in kinds) else model.n_layers
            with capture(model, layers, interface) as states, only_layers(model, 1, deepest):
                after = model.run(mask, input_ids=input_ids)
            return [_mixed(kind.mixture, states) if kind.mixture else after for kind in kinds]

        at = json_fingerprint(self.at)
        kinds = [self._layer_kind(mixture, interface, at) for mixture in mixtures]
        if final:
            kinds.append(Kind("final states", {"final": True, "at": at}, self.at, self._dtype))
        return self._stores(kinds, run)

    def _layer_kind(self, mixture: Mixture, interface: str, at: str) -> Kind:
        each = self.model.n_heads if interface == HEADS else 1
        dtype = self._dtype if len(mixture) == 1 else wide_type(self._dtype)
        key = {"mixture": mixture, "interface": interface, "at": at}
        return Kind("layer states", key, self.at, dtype, each, mixture)

    def entering_states(self, k: int) -> StateStore:
        """Return the states of all tokens that enter layer ``k``; no layer below k is trained, so they stay valid."""

        def run(model: Architecture, kinds: Sequence[Kind], input_ids: Tensor, mask: Tensor) -> list[Tensor]:
            return [states_entering(model, k, input_ids, mask)]

        everywhere = [range(len(example)) for example in self.examples]
        (store,) = self._stores([Kind("student prefix", {"entering": k}, everywhere, self._dtype)], run)
        return store

    @property
    def _dtype(self) -> torch.dtype:
        return self.model.head_weight.dtype

    def _stores(self, kinds: Sequence[Kind], run: Run) -> list[StateStore]:
        """Return the store of each kind, whose states ``run`` returns for padded ids and their mask."""
        ids = json_fingerprint([example.input_ids for example in self.examples])
        stores = [self._store(kind, ids) for kind in kinds]
        alone = {store.folder: (store, kind) for store, kind in zip(stores, kinds, strict=True)}  # equal kinds once
        of_folders = list(alone.values())
        held = sum(kind.each * max(1, len(kind.mixture)) for _, kind in of_folders)
        running = cache(partial(self._running, held))  # on first use, and once for all shards

        def compute(wanted: range, chosen: Sequence[int]) -> list[tuple[Tensor, ...]]:
            model, parts = running()
            part = partial(self._part, run, model, [of_folders[i][1] for i in chosen])
            with evaluating(model.model):
                rows = parts.each(part, wanted, [len(self.examples[i]) for i in wanted])
            return list(zip(*rows, strict=True))

        ensure_all([store for store, _ in of_folders], compute, " and ".join({kind.what: None for kind in kinds}))
        return stores

    def _store(self, kind: Kind, ids: str) -> StateStore:
        model = self.model.model
        # States of these models depended on the batch when they were stored without this mark.
        rope = {"rope": "own length"} if varying(model) else {}
        return StateStore(
            self.folder,
            {"model": self.fingerprint, "computed_by": computed_by(model), **kind.key, "ids": ids, **rope},
            [kind.each * len(at) for at in kind.at],
            self.model.width,
            kind.dtype,
        )

    def _running(self, held: int) -> tuple[Architecture, FittingParts]:
        """Return the model with the weights that the states need, and the parts of examples that fit its memory.

        Args:
            held: states of a token that a pass holds at once.
        """
        model = self.model if self.weights is None else self.weights()
        return model, FittingParts(model, FORWARD_EXAMPLES, kept_states=held - 1)

    def _part(self, run: Run, model: Architecture, kinds: Sequence[Kind], chosen: Sequence[int]) -> list[list[Tensor]]:
        """Return for each of some examples its states of all kinds."""
        input_ids, mask = (part.to(model.device) for part in pad([self.examples[i] for i in chosen]))

        def rows() -> list[list[Tensor]]:
            of_kinds = list(zip(kinds, run(model, kinds, input_ids, mask), strict=True))
            # of (batch, tokens, D), or of (batch, tokens, heads, D)
            return [
                [states[row, list(kind.at[i])].flatten(0, -2) for kind, states in of_kinds]
                for row, i in enumerate(chosen)
            ]

        found = rows()
        for kind, states in zip(kinds, zip(*found, strict=True), strict=True):
            check_finite(torch.cat(states), f"the {kind.what}", model, rows)
        return [[state.cpu() for state in row] for row in found]


def _mixed(mixture: Mixture, states: Mapping[int, Tensor]) -> Tensor:
    """Return the weighted sum of the states of some layers; one layer has weight 1."""
    if len(mixture) == 1:
        return states[mixture[0][0]]
    # A sum in half precision would be rounded.
    return torch.stack([weight * wide(states[layer]) for layer, weight in mixture]).sum(0)
