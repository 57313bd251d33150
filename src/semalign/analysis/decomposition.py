"""Do states point the same way after decomposition and recomposition in one space? (Section 3.2, Fig. 2)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from semalign.bases.basis import SemanticBasis
from semalign.bases.frames import frame_operator
from semalign.models.architecture import INTERFACES, Architecture
from semalign.models.capture import capture
from semalign.models.evaluating import evaluating, plain_torch
from semalign.models.finite import check_finite
from semalign.models.loading import LanguageModel
from semalign.models.precision import wide

FINAL = "final"  # the state after the final norm, which the LM head reads
STATES = (*INTERFACES, FINAL)


class Place(NamedTuple):
    """Where states are taken."""

    interface: str
    layer: int


@plain_torch(gradients=False)
def resultant_cosine(
    model: LanguageModel,
    texts: Sequence[str],
    bases: Mapping[str, SemanticBasis],
    *,
    interfaces: Sequence[str] = STATES,
    layers: Sequence[int] | None = None,
    batch_size: int = 4,
) -> pd.DataFrame:
    """Measure ``cos(h, S S^T h)`` over all tokens of some texts, for each interface, layer and basis.

    Args:
        model: the model whose states are read.
        texts: prompts; each token of every text counts once.
        bases: bases by name; their vectors count at unit length.
        interfaces: supervision interfaces, and ``"final"`` for the state after the final norm.
        layers: 1-based layer numbers (default all); ``"final"`` is listed under the last layer.
        batch_size: texts in one forward pass. Memory holds the states of one batch, never of all texts.

    Returns:
        One line for each interface, layer and basis: ``cosine`` and ``sd`` over tokens, ``tokens``, and
        ``mean_share``, the squared length of the mean of all unit states: the share of their energy that lies
        in the mean, and the average cosine of two states drawn at random.

    Raises:
        ValueError: for no texts, an empty text or one longer than the context, an unknown interface, a layer
            outside 1..L, or a basis of another width or made from another model.
    """
    architecture = Architecture(model.model)
    layers = [architecture.check_layer(k) for k in layers or range(1, architecture.n_layers + 1)]
    if unknown := set(interfaces) - set(STATES):
        raise ValueError(f"unknown interfaces {sorted(unknown)}: choose from {', '.join(STATES)}")
    for name, basis in bases.items():
        if basis.vectors.shape[1] != architecture.width:
            raise ValueError(f"basis {name!r} has width {basis.vectors.shape[1]}, the model {architecture.width}")
        basis.check_model(model)
    encoded = _encode(model, texts)
    frames = {name: frame_operator(basis) for name, basis in bases.items()}
    seen: dict[Place, _Moments] = {}
    for place, states in _states(architecture, encoded, interfaces, layers, batch_size):
        seen.setdefault(place, _Moments(architecture.width, list(bases))).add(states, frames)
    return pd.DataFrame([line for place, moments in seen.items() for line in moments.lines(place)])


def _encode(model: LanguageModel, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of each text, short texts first."""
    encoder = model.encoder
    ids = [encoder.prompt(text).ids for text in texts]
    if not ids:
        raise ValueError("no texts to measure on")
    for number, length in enumerate(map(len, ids), start=1):
        if not 0 < length <= model.context_length:
            raise ValueError(
                f"text {number} has {length} tokens: it must have 1 to {model.context_length}, the context"
            )
    # Texts of similar length need little padding; the order does not matter to the moments.
    return sorted(ids, key=len)


def _padded(ids: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "texts tokens"], Bool[Tensor, "texts tokens"]]:
    """Return token ids padded on the right, and which of them are real."""
    rows = [torch.tensor(row) for row in ids]
    real = [torch.ones_like(row, dtype=torch.bool) for row in rows]
    return pad_sequence(rows, batch_first=True), pad_sequence(real, batch_first=True)


def _states(
    architecture: Architecture,
    encoded: Sequence[Sequence[int]],
    interfaces: Sequence[str],
    layers: Sequence[int],
    batch_size: int,
) -> Iterator[tuple[Place, Float[Tensor, "tokens d"]]]:
    """Yield, batch by batch and place by place, the states of all real tokens."""
    device = architecture.device
    for start in tqdm(range(0, len(encoded), batch_size), desc="decomposition", leave=False, disable=None):
        input_ids, real = (part.to(device) for part in _padded(encoded[start : start + batch_size]))
        with evaluating(architecture.model), ExitStack() as stack:
            captured = {
                interface: stack.enter_context(capture(architecture, layers, interface))
                for interface in interfaces
                if interface != FINAL
            }
            run = partial(architecture.run, real.long(), input_ids=input_ids)
            final = run()
            check_finite(final, "the states", architecture, run)
        if FINAL in interfaces:
            captured[FINAL] = {architecture.n_layers: final}
        for interface in interfaces:
            for k in sorted(captured[interface]):
                yield Place(interface, k), captured[interface].pop(k)[real]  # (batch, tokens, D) to (real tokens, D)


@dataclass
class _Moments:
    """Running sums over tokens at one interface and layer."""

    width: int
    names: Sequence[str]

    def __post_init__(self) -> None:
        self.tokens = 0
        self.direction = torch.zeros(self.width, dtype=torch.float64)
        self.sums = {name: torch.zeros(2, dtype=torch.float64) for name in self.names}

    def add(self, states: Float[Tensor, "tokens d"], frames: Mapping[str, Float[Tensor, "d d"]]) -> None:
        """Add states to the sums."""
        unit = normalize(wide(states), dim=-1)
        self.tokens += len(unit)
        self.direction += unit.double().sum(0).cpu()
        for name, frame in frames.items():
            cosines = cosine_similarity(
                unit, unit @ frame.to(unit), dim=-1
            ).double()  # of h and F h, one for each token
            self.sums[name] += torch.stack([cosines.sum(), cosines.square().sum()]).cpu()

    def lines(self, place: Place) -> Iterator[dict[str, float | int | str]]:
        """Yield one line for each basis."""
        share = float((self.direction / self.tokens).square().sum())
        for name, (total, squares) in self.sums.items():
            mean = float(total / self.tokens)
            spread = math.sqrt(max(float(squares / self.tokens) - mean**2, 0.0))
            yield {
                **place._asdict(),
                "basis": name,
                "cosine": mean,
                "sd": spread,
                "tokens": self.tokens,
                "mean_share": share,
            }
