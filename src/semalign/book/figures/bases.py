"""Figures of Chapter 1: cosines between atoms, and the paper's Fig. 1 drawn from a real basis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray
from torch import Tensor
from torch.nn.functional import normalize

from semalign.bases.basis import SemanticBasis
from semalign.book.theme import INK
from semalign.data.rows import Row
from semalign.models.architecture import Architecture
from semalign.models.evaluating import evaluating
from semalign.models.loading import LanguageModel

PAIRS_OF = 400  # number of random atoms, of which all pairs are compared
MESH = 161  # grid points along each axis of the plane of regions


def pair_cosines(basis: SemanticBasis, n: int = PAIRS_OF) -> Float[ndarray, " pairs"]:
    """Return the cosines of all pairs of ``n`` atoms drawn at random."""
    drawn = torch.randperm(len(basis.unit), generator=torch.Generator().manual_seed(0))[:n]
    unit = basis.unit[drawn]
    return (unit @ unit.T)[tuple(torch.triu_indices(len(unit), len(unit), 1))].numpy()


def cosine_table(bases: Mapping[tuple[str, str], SemanticBasis]) -> pd.DataFrame:
    """Return the cosines of pairs of atoms; the keys of ``bases`` are model and side."""
    parts = [
        pd.DataFrame({"model": model, "side": side, "cosine": pair_cosines(basis)})
        for (model, side), basis in bases.items()
    ]
    return pd.concat(parts)


def atom_cosines(cosines: pd.DataFrame) -> Figure:
    """Draw the densities of cosines between atoms, one panel for each model; see :func:`cosine_table`."""
    grid = sns.displot(
        cosines, x="cosine", hue="side", col="model", kind="kde", height=2.8, aspect=1.05, common_norm=False,
        facet_kws={"sharey": True},
    )  # fmt: skip
    grid.set_titles("{col_name}")
    return grid.figure


@dataclass(frozen=True)
class Association:
    """Some atoms and a hidden state, with the plane of the largest variance of the atoms.

    Attributes:
        tokens: the atoms' tokens.
        unit: the atoms at unit length.
        state: the state at unit length.
    """

    tokens: Sequence[str]
    unit: Float[Tensor, "atoms d"]
    state: Float[Tensor, " d"]

    @property
    def centre(self) -> Float[Tensor, " d"]:
        """The mean of the atoms, a point of the plane."""
        return self.unit.mean(0)

    @property
    def plane(self) -> Float[Tensor, "2 d"]:
        """The two orthonormal directions of the largest variance of the atoms."""
        return torch.linalg.svd(self.unit - self.centre, full_matrices=False).Vh[:2]

    def project(self, vectors: Float[Tensor, "n d"]) -> Float[ndarray, "n 2"]:
        """Return the coordinates of vectors projected onto the plane."""
        return ((vectors - self.centre) @ self.plane.T).numpy()

    def nearest(self, points: Float[ndarray, "n 2"]) -> ndarray:
        """Return, for points of the plane, the index of the atom with the largest cosine in the full space."""
        space = normalize(self.centre + torch.from_numpy(points) @ self.plane, dim=1)
        return (space @ self.unit.T).argmax(1).numpy()

    def table(self) -> pd.DataFrame:
        """Return the atoms' coordinates on the plane and their cosines with the state."""
        points = self.project(self.unit)
        cosines = (self.unit @ self.state).tolist()
        return pd.DataFrame({"token": self.tokens, "x": points[:, 0], "y": points[:, 1], "cosine with state": cosines})


def associate(model: LanguageModel, basis: SemanticBasis, row: Row, labels: Sequence[str]) -> Association:
    """Return the atoms of some tokens, and the last state of a row that predicts one of these tokens.

    If the vocabulary has none of the tokens, its first six tokens replace them.

    Raises:
        ValueError: for a basis without tokens.
    """
    if basis.tokens is None:
        raise ValueError("this basis has no tokens: make it with SemanticBasis.from_model")
    atoms = [basis.tokens.index(label) for label in labels if label in basis.tokens] or list(range(6))
    example = model.encode([row])[0]
    before = [i for i in example.positions() if example.tokens[i + 1] in labels] or [len(example) - 2]
    with evaluating(model.model):
        states = Architecture(model.model).run(input_ids=torch.tensor([example.input_ids]))
    state = normalize(states[0, before[-1]].double(), dim=0)
    names = [basis.tokens[i].replace("Ġ", "␣") for i in atoms]
    return Association(names, basis.unit[atoms].double(), state)


def semantic_association(seen: Association) -> Figure:
    """Draw the paper's Fig. 1: tokens, their atoms and a state on a plane, and the semantic regions of the plane."""
    colours = sns.color_palette("colorblind", len(seen.tokens))
    points, dot = seen.project(seen.unit), seen.project(seen.state[None])[0]
    span = 1.25 * max(np.abs(points).max(), np.abs(dot).max())
    figure, axes = plt.subplots(1, 3, figsize=(7, 3.1), width_ratios=[0.4, 1, 1])
    _vocabulary(axes[0], seen.tokens, colours)
    ticks = np.linspace(-span, span, MESH)
    nearest = seen.nearest(np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)).reshape(MESH, MESH)
    axes[2].imshow(np.asarray(colours)[nearest], extent=(-span, span, -span, span), origin="lower", alpha=0.45)
    for axis, title in zip(axes[1:], ["latent space", "semantic regions"], strict=True):
        axis.scatter(*points.T, c=colours, s=60, edgecolor="white", zorder=3)
        axis.scatter(*dot, c=INK, s=40, edgecolor="white", zorder=4)
        axis.set(title=title, xticks=[], yticks=[], xlim=(-span, span), ylim=(-span, span), aspect="equal")
    for point, value, colour in zip(points, seen.table()["cosine with state"], colours, strict=True):
        axes[1].plot(*zip(dot, point, strict=True), color=colour, lw=0.8, zorder=1)
        axes[1].annotate(f"{value:.2f}", point, xytext=(5, 5), textcoords="offset points")
    return figure


def _vocabulary(axis: Axes, tokens: Sequence[str], colours: Sequence[tuple[float, float, float]]) -> None:
    """Draw tokens as a column of coloured labels."""
    axis.axis("off")
    axis.set_title("vocabulary")
    for i, (name, colour) in enumerate(zip(tokens, colours, strict=True)):
        box = plt.Rectangle((0.1, 0.86 - 0.15 * i), 0.8, 0.12, color=colour, transform=axis.transAxes)
        axis.add_patch(box)
        axis.text(
            0.5, 0.92 - 0.15 * i, repr(name), ha="center", va="center", color="white", weight="bold",
            transform=axis.transAxes,
        )  # fmt: skip
