"""A head with the D x D inverse that makes its basis, for what needs the vectors a chunk at a time and once."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from semalign.bases.gram import head_fingerprint, keep_gram
from semalign.bases.precision import RowProduct, semantic_pseudoinverse
from semalign.bases.vocabulary import Vocabulary, atom_rows, check_weight
from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.loading import LanguageModel


@dataclass(frozen=True)
class InvertedHead:
    """The output-side basis of a model, whose vectors ``s_i = w_i (W^T W)^+`` are made when they are asked for.

    The vectors are those of :meth:`semalign.SemanticBasis.from_head`, which holds all of them.

    Attributes:
        weight: the LM head, shape (V, D).
        product: the product of rows with ``(W^T W)^+``.
        token_ids: shape (m,), the vocabulary row of each atom.
        made_from: shape (m,), the row of W whose vector each atom has: its own, unless the basis is permuted.
        tokens: see :class:`semalign.SemanticBasis`.
        keys: see :class:`semalign.SemanticBasis`.
    """

    weight: Float[Tensor, "v d"] = field(repr=False)
    product: RowProduct = field(repr=False)
    token_ids: Int[Tensor, " m"]
    made_from: Int[Tensor, " m"]
    tokens: tuple[str, ...] | None = field(default=None, repr=False)
    keys: tuple[str, ...] | None = field(default=None, repr=False)

    @classmethod
    @plain_torch(gradients=False)
    def of(cls, model: PreTrainedModel | LanguageModel, *, fold_norm: bool = False) -> "InvertedHead":
        """Return the inverted head of a model, and keep its Gram matrix for an output cosine of the same rows.

        Args:
            model: see :meth:`semalign.SemanticBasis.from_model`.
            fold_norm: see :meth:`semalign.SemanticBasis.from_head`.

        Raises:
            ValueError: for a head with NaN or infinity, or a model without a head.
        """
        vocabulary = Vocabulary.of(model)
        head = Architecture(vocabulary.network).folded_head() if fold_norm else vocabulary.head
        check_weight(head)
        atoms = atom_rows(head, vocabulary.rows, unique_rows=False)
        found = semantic_pseudoinverse(head if len(atoms) == len(head) else head[atoms])
        keep_gram(head_fingerprint(head, atoms), found.gram)
        return cls(head, RowProduct(found.inverse), atoms, atoms, *vocabulary.names_at(atoms))

    @property
    def width(self) -> int:
        """The number of dimensions D."""
        return self.weight.shape[1]

    @plain_torch(gradients=False)
    def rows(self, atoms: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Return the vectors of some atoms, by their positions, in float32."""
        return self.product(self.weight[self.made_from[atoms]]).float()

    def restricted(self, atoms: Int[Tensor, " n"]) -> "InvertedHead":
        """Return some of the atoms, by their positions; each keeps the vector that it has among all."""
        tokens, keys = (names and tuple(names[i] for i in atoms.tolist()) for names in (self.tokens, self.keys))
        return replace(self, token_ids=self.token_ids[atoms], made_from=self.made_from[atoms], tokens=tokens, keys=keys)

    def permuted(self, seed: int = 0) -> "InvertedHead":
        """Return the same vectors under shuffled token names, as :meth:`semalign.SemanticBasis.permuted` does."""
        order = torch.randperm(len(self.token_ids), generator=torch.Generator().manual_seed(seed))
        return replace(self, made_from=self.made_from[order])
