"""The vocabulary of a model: its LM head, its embeddings, and the tokens that they belong to."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from semalign.bases.token_keys import TokenNames
from semalign.models.loading import LanguageModel, unwrap
from semalign.models.logit_head import head_weight


class Vocabulary(NamedTuple):
    """Both matrices of a model that have a row for each token.

    Attributes:
        network: the model, without its tokenizer.
        head: the LM head's weight W.
        embeddings: the embeddings' weight.
        names: the rows that tokens use, with their strings and what they stand for; None without a tokenizer. Rows
            that pad the matrix, or fill a gap in a tokenizer's ids, have none.
    """

    network: PreTrainedModel
    head: Float[Tensor, "v d"]
    embeddings: Float[Tensor, "v d"]
    names: TokenNames | None

    @classmethod
    def of(cls, model: PreTrainedModel | LanguageModel) -> "Vocabulary":
        """Return the vocabulary of a model; ``ValueError`` if the model has no head."""
        network, tokenizer = unwrap(model)
        head = head_weight(network)
        embeddings: Tensor = network.get_input_embeddings().weight.detach()  # type: ignore[operator]
        return cls(network, head, embeddings, None if tokenizer is None else TokenNames.of(tokenizer, len(head)))

    @property
    def rows(self) -> Sequence[int]:
        """The rows that count as atoms: those of tokens, or all without a tokenizer."""
        return range(len(self.head)) if self.names is None else self.names.token_ids

    def names_at(self, token_ids: Int[Tensor, " m"]) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """Return the strings of some tokens and what they stand for, each None if that is not known."""
        if self.names is None:
            return None, None
        at = {token_id: i for i, token_id in enumerate(self.names.token_ids)}
        atoms = [at[token_id] for token_id in token_ids.tolist()]
        tokens, keys = self.names.tokens, self.names.keys
        return tuple(tokens[i] for i in atoms), None if keys is None else tuple(keys[i] for i in atoms)

    @property
    def tied(self) -> bool:
        """Whether the model has one matrix for embeddings and LM head."""
        return self.head.data_ptr() == self.embeddings.data_ptr()


def check_weight(weight: Tensor) -> None:
    """Make sure that a head or embeddings can be used; ``ValueError`` if it is no matrix, or holds NaN or infinity."""
    if weight.ndim != 2:
        raise ValueError(f"expected a matrix of shape (V, D), got shape {tuple(weight.shape)}")
    # The extremes are NaN if any number is, and need no memory.
    if weight.numel() and not all(map(torch.isfinite, weight.aminmax())):
        raise ValueError(
            "the matrix holds NaN or infinity; the checkpoint is damaged or was loaded in too small a dtype"
        )


def atom_rows(weight: Float[Tensor, "v d"], rows: Sequence[int] | None, unique_rows: bool) -> Int[Tensor, " m"]:
    """Return the vocabulary rows that count as atoms.

    Args:
        weight: a head or embeddings.
        rows: the rows to choose from; None: all.
        unique_rows: keep only the first of identical rows.

    Raises:
        ValueError: if no row is left.
    """
    token_ids = torch.arange(len(weight)) if rows is None else torch.as_tensor(list(rows))
    if unique_rows and len(token_ids):
        # groups[i] numbers the distinct row that row i equals; the least i of each group is its first row.
        groups = torch.unique(weight[token_ids], dim=0, return_inverse=True)[1].cpu()
        first = torch.full((int(groups.max()) + 1,), len(groups)).scatter_reduce(
            0, groups, torch.arange(len(groups)), "amin"
        )
        token_ids = token_ids[first.sort().values]
    if len(token_ids) == 0:
        raise ValueError("no vocabulary row is left to make a basis of")
    return token_ids
