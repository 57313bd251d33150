"""Forward passes whose states are stored: teacher states for the targets, and student states for the trained layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semalign.data.rows import Example, pad
from semalign.files import json_fingerprint
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.capture import states_at, states_entering
from semalign.models.evaluating import evaluating
from semalign.models.finite import check_finite
from semalign.models.head_outputs import HEADS
from semalign.models.identity import computed_by
from semalign.models.precision import wide, wide_type
from semalign.models.rope import varying
from semalign.targets.store import StateStore

FORWARD_EXAMPLES = 16  # the most examples in one forward pass while states are computed
Mixture = Sequence[tuple[int, float]]
Compute = Callable[[Architecture, Tensor, Tensor, Sequence[int]], list[Tensor]]


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

    def layer_states(self, mixture: Mixture, interface: str) -> StateStore:
        """Return the states at an interface; the forward passes stop at the deepest layer of the mixture.

        Args:
            mixture: layers with their weights: ``[(layer, 1.0)]``, or two neighbours to interpolate.
            interface: ``attention``, ``mlp``, ``residual`` or ``layer``; or ``heads``: a position then has the states
                of all heads, one after the other.
        """
        layers = [layer for layer, _ in mixture]
        states_each = self.model.n_heads if interface == HEADS else 1

        def compute(model: Architecture, input_ids: Tensor, mask: Tensor, chosen: Sequence[int]) -> list[Tensor]:
            states = states_at(model, layers, interface, input_ids, mask)
            if len(mixture) == 1:
                (mixed,) = states.values()
            else:  # a sum in half precision would be rounded
                mixed = torch.stack([weight * wide(states[layer]) for layer, weight in mixture]).sum(0)
            # of (batch, tokens, D), or of (batch, tokens, heads, D)
            return [mixed[row, self.at[i]].flatten(0, -2) for row, i in enumerate(chosen)]

        key = {"mixture": mixture, "interface": interface, "at": json_fingerprint(self.at)}
        dtype = self._dtype if len(mixture) == 1 else wide_type(self._dtype)
        return self._store(compute, [states_each * len(at) for at in self.at], key, "layer states", dtype)

    def final_states(self) -> StateStore:
        """Return the states after the final norm; logits are computed from them when needed and never stored."""

        def compute(model: Architecture, input_ids: Tensor, mask: Tensor, chosen: Sequence[int]) -> list[Tensor]:
            states = model.run(mask, input_ids=input_ids)
            return [states[row, self.at[i]] for row, i in enumerate(chosen)]

        key = {"final": True, "at": json_fingerprint(self.at)}
        return self._store(compute, list(map(len, self.at)), key, "final states")

    def entering_states(self, k: int) -> StateStore:
        """Return the states of all tokens that enter layer ``k``; no layer below k is trained, so they stay valid."""

        def compute(model: Architecture, input_ids: Tensor, mask: Tensor, chosen: Sequence[int]) -> list[Tensor]:
            states = states_entering(model, k, input_ids, mask)  # (batch, tokens, D), padded on the right
            return [states[row, : len(self.examples[i])] for row, i in enumerate(chosen)]

        return self._store(compute, list(map(len, self.examples)), {"entering": k}, "student prefix")

    def _running(self) -> tuple[Architecture, FittingParts]:
        """Return the model with the weights that the states need, and the parts of examples that fit its memory."""
        model = self.model if self.weights is None else self.weights()
        return model, FittingParts(model, FORWARD_EXAMPLES)

    @property
    def _dtype(self) -> torch.dtype:
        return self.model.head_weight.dtype

    def _store(
        self,
        compute: Compute,
        lengths: Sequence[int],
        key: dict[str, Any],
        description: str,
        dtype: torch.dtype | None = None,
    ) -> StateStore:
        """Return the store of the states that ``compute`` returns for padded ids, their mask and example numbers."""

        def compute_part(model: Architecture, chosen: Sequence[int]) -> list[Tensor]:
            input_ids, mask = (part.to(model.device) for part in pad([self.examples[i] for i in chosen]))
            rows = partial(compute, model, input_ids, mask, chosen)
            found = rows()
            check_finite(torch.cat(found), f"the {description}", model, rows)
            return [state.cpu() for state in found]

        running = cache(self._running)  # on first use, and once for all shards

        def compute_range(wanted: range) -> list[Tensor]:
            tokens = [len(self.examples[i]) for i in wanted]
            model, parts = running()
            with evaluating(model.model):
                return parts.each(partial(compute_part, model), wanted, tokens)

        # States of these models depended on the batch when they were stored without this mark.
        rope = {"rope": "own length"} if varying(self.model.model) else {}
        ids = json_fingerprint([example.input_ids for example in self.examples])
        store = StateStore(
            self.folder,
            {"model": self.fingerprint, "computed_by": computed_by(self.model.model), **key, "ids": ids, **rope},
            lengths,
            self.model.width,
            dtype or self._dtype,
        )
        store.ensure(compute_range, description)
        return store
