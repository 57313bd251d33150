"""Vocabulary-defined semantic bases (Section 3.1): one vector of the latent space for each token of the vocabulary."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from semalign.bases.gram import head_fingerprint
from semalign.bases.precision import RowProduct, semantic_pseudoinverse
from semalign.bases.pseudoinverse import RTOL, Cutoff
from semalign.bases.vocabulary import Vocabulary, atom_rows, check_weight
from semalign.files import DamagedFileError
from semalign.models.architecture import Architecture
from semalign.models.evaluating import plain_torch
from semalign.models.loading import LanguageModel
from semalign.tensor_files import read_tensors, tensor_fingerprint, write_tensors

Side = Literal["output", "input", "random"]
CHUNK = 1024  # vocabulary rows handled at once
NOTED = ("tokens", "keys", "side", "tied", "fingerprint", "method", "rank")  # what a file says beside the tensors


@dataclass(frozen=True)
class SemanticBasis:
    """The semantic basis of one model: ``vectors[i]`` is the vector s_i of the i-th semantic atom.

    Attributes:
        vectors: shape (m, D), float32, not normalised; row i is column i of the paper's S (before unit length).
        token_ids: shape (m,), the vocabulary row of each atom.
        tokens: the atoms' token strings, or None if no tokenizer was given.
        keys: the bytes or the role that the tokens stand for, by which atoms of two models match
            (:func:`semalign.bases.token_keys.token_keys`), or None if that is not known.
        side: where the basis comes from: LM head (``output``), embeddings (``input``) or ``random``.
        tied: whether the model shares one matrix between embeddings and LM head.
        fingerprint: where the vectors come from: a hash of the LM head and of the rows of it that are atoms, a hash of
            the embeddings, or the size and seed of random vectors. The cut-off of the pseudoinverse is not part of it.
        method: how the pseudoinverse was found: ``cholesky``, ``eigen`` or ``svd`` (see
            :class:`semalign.bases.pseudoinverse.Pseudoinverse`), or ``none``.
        rank: numerical rank of the head.
    """

    vectors: Float[Tensor, "m d"]
    token_ids: Int[Tensor, " m"]
    tokens: tuple[str, ...] | None = field(default=None, repr=False)
    side: Side = "output"
    tied: bool = False
    fingerprint: str = ""
    method: str = "none"
    rank: int = 0
    keys: tuple[str, ...] | None = field(default=None, repr=False)

    @classmethod
    @plain_torch(gradients=False)
    def from_weight(
        cls,
        weight: Float[Tensor, "v d"],
        *,
        rows: Sequence[int] | None = None,
        unique_rows: bool = False,
        rtol: Cutoff = RTOL,
    ) -> "SemanticBasis":
        """Return the output-side basis of an LM head W (V x D): row i is ``s_i = W^+ e_i``, column i of W^+.

        ``W^+ = (W^T W)^+ W^T`` goes through the D x D Gram matrix; singular values that are at most ``rtol`` times the
        largest count as zero (:func:`semalign.bases.pseudoinverse.gram_pseudoinverse`). Products are in float32 where
        the relative error of each vector is below 1e-5 against float64, else in float64
        (:mod:`semalign.bases.precision`).

        Args:
            weight: the LM head, shape (V, D).
            rows: vocabulary rows that count as atoms (default all). Leave out padded rows, which no token uses.
            unique_rows: keep only the first of identical rows, so that duplicates do not count several times.
            rtol: relative cut-off of singular values, or ``"pinv"``: that of ``torch.linalg.pinv``, max(V, D) * eps,
                which the code for vocabulary-defined semantics uses.

        Raises:
            ValueError: for a head with NaN or infinity, no matrix, one without rows, or an ``rtol`` that is no cut-off.
        """
        check_weight(weight)
        token_ids = atom_rows(weight, rows, unique_rows)
        whole = len(token_ids) == len(weight) and bool((token_ids.diff() == 1).all())  # then it is not copied
        selected = weight if whole else weight[token_ids]
        inverse, method, rank = semantic_pseudoinverse(selected, rtol)[:3]
        # (W^+)^T = W (W^T W)^+: (m, D) times (D, D), a few rows at a time, so that no other copy of W is made.
        product = RowProduct(inverse)
        vectors = torch.empty(selected.shape, dtype=torch.float32, device=weight.device)
        for start in range(0, len(selected), CHUNK):
            vectors[start : start + CHUNK] = product(selected[start : start + CHUNK])
        fingerprint = head_fingerprint(weight, token_ids)
        return cls(vectors, token_ids, side="output", fingerprint=fingerprint, method=method, rank=rank)

    @classmethod
    @plain_torch(gradients=False)
    def from_model(
        cls,
        model: PreTrainedModel | LanguageModel,
        side: Side = "output",
        *,
        fold_norm: bool = False,
        unique_rows: bool = False,
        rtol: Cutoff = RTOL,
        seed: int = 0,
    ) -> "SemanticBasis":
        """Return a semantic basis of a causal language model.

        Args:
            model: a transformers model, or the pair that :func:`semalign.load_model` returns. With its tokenizer,
                atoms carry token strings and what they stand for, and padded vocabulary rows, which no token uses,
                are left out.
            side: ``"output"``: :meth:`from_head`; ``"input"``: :meth:`from_embeddings`; ``"random"``:
                :meth:`random_like`. Where the model ties its matrices, the first two come from the same one.
            fold_norm: see :meth:`from_head`; output side only.
            unique_rows: keep only the first of identical rows; not of random ones.
            rtol: see :meth:`from_weight`.
            seed: seed of the random side.

        Raises:
            ValueError: for a head with NaN, a model without a head, an unknown side, or ``fold_norm`` off the output
                side.
        """
        if fold_norm and side != "output":
            raise ValueError(f"fold_norm belongs to the output side, not to {side!r}")
        if side == "output":
            return cls.from_head(model, fold_norm=fold_norm, unique_rows=unique_rows, rtol=rtol)
        if side == "input":
            return cls.from_embeddings(model, unique_rows=unique_rows)
        if side == "random":
            return cls.random_like(model, seed)
        raise ValueError(f"unknown side {side!r}: choose output, input or random")

    @classmethod
    @plain_torch(gradients=False)
    def from_head(
        cls,
        model: PreTrainedModel | LanguageModel,
        *,
        fold_norm: bool = False,
        unique_rows: bool = False,
        rtol: Cutoff = RTOL,
    ) -> "SemanticBasis":
        """Return the output-side basis of a model: the pseudoinverse of its LM head, by :meth:`from_weight`.

        Args:
            model: see :meth:`from_model`.
            fold_norm: fold the final norm's gain g into the head, W diag(g), before inverting it.
            unique_rows: keep only the first of identical rows.
            rtol: see :meth:`from_weight`.
        """
        vocabulary = Vocabulary.of(model)
        head = Architecture(vocabulary.network).folded_head() if fold_norm else vocabulary.head
        basis = cls.from_weight(head, rows=vocabulary.rows, unique_rows=unique_rows, rtol=rtol)
        return basis._named(vocabulary)

    @classmethod
    @plain_torch(gradients=False)
    def from_embeddings(cls, model: PreTrainedModel | LanguageModel, *, unique_rows: bool = False) -> "SemanticBasis":
        """Return the input-side basis of a model: the rows of its embeddings; arguments as in :meth:`from_head`."""
        vocabulary = Vocabulary.of(model)
        check_weight(vocabulary.embeddings)
        atoms = atom_rows(vocabulary.embeddings, vocabulary.rows, unique_rows)
        fingerprint = tensor_fingerprint({"embeddings": vocabulary.embeddings})
        vectors = vocabulary.embeddings[atoms].float()
        return cls(vectors, atoms, side="input", fingerprint=fingerprint)._named(vocabulary)

    @classmethod
    def random_like(cls, model: PreTrainedModel | LanguageModel, seed: int = 0) -> "SemanticBasis":
        """Return as many random vectors as a model has tokens, of its width; see :meth:`random`."""
        vocabulary = Vocabulary.of(model)
        basis = cls.random(len(vocabulary.rows), vocabulary.head.shape[1], seed)
        return replace(basis, token_ids=torch.tensor(vocabulary.rows))._named(vocabulary)

    def _named(self, vocabulary: Vocabulary) -> "SemanticBasis":
        """Return the basis with the names of its atoms."""
        tokens, keys = vocabulary.names_at(self.token_ids)
        return replace(self, tokens=tokens, keys=keys, tied=vocabulary.tied)

    @classmethod
    def random(cls, m: int, d: int, seed: int = 0) -> "SemanticBasis":
        """Return ``m`` Gaussian vectors in D dimensions: the control of Section 3.2."""
        vectors = torch.randn(m, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float32, device="cpu")
        return cls(vectors, torch.arange(m), side="random", fingerprint=f"random-{m}-{d}-{seed}")

    @property
    def width(self) -> int:
        """The number of dimensions D."""
        return self.vectors.shape[1]

    def rows(self, atoms: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Return the vectors of some atoms, by their positions."""
        return self.vectors[atoms]

    @property
    def unit(self) -> Float[Tensor, "m d"]:
        """The vectors at unit length, the columns of the paper's S in Section 4.2; a zero vector stays zero."""
        return torch.nn.functional.normalize(self.vectors, dim=-1)

    def permuted(self, seed: int = 0) -> "SemanticBasis":
        """Return the same vectors under shuffled token names: a control that keeps geometry and breaks meaning."""
        order = torch.randperm(len(self.vectors), generator=torch.Generator().manual_seed(seed))
        return replace(self, vectors=self.vectors[order], fingerprint=f"{self.fingerprint}-permuted-{seed}")

    def check_model(self, model: PreTrainedModel | LanguageModel) -> None:
        """Make sure that the basis was made from the weights of a model, as one that was loaded may not be.

        Raises:
            ValueError: if the fingerprint of the basis is that of other weights. A random basis, and one without a
                fingerprint, fit every model.
        """
        made = self.fingerprint.partition("-permuted-")[0]
        if self.side == "random" or not made:
            return
        vocabulary = Vocabulary.of(model)
        if self.side == "input":
            fits = tensor_fingerprint({"embeddings": vocabulary.embeddings}) == made
        else:  # most heads are not folded, and an architecture without a layout has no other
            fits = head_fingerprint(vocabulary.head, self.token_ids) == made or self._is_folded(vocabulary, made)
        if not fits:
            raise ValueError(f"this {self.side}-side basis was made from other weights: make it again from this model")

    def _is_folded(self, vocabulary: Vocabulary, made: str) -> bool:
        """Return whether the basis was made from the head of a model with the final norm's gain folded in."""
        try:
            folded = Architecture(vocabulary.network).folded_head()
        except ValueError:  # no norm is known, so that none can have been folded in
            return False
        return head_fingerprint(folded, self.token_ids) == made

    def save(self, path: Path | str) -> None:
        """Write the basis as safetensors, with a checksum, and with the fingerprint of the head it came from."""
        notes = {name: getattr(self, name) for name in NOTED}
        write_tensors(path, {"vectors": self.vectors, "token_ids": self.token_ids}, notes)

    @classmethod
    def load(cls, path: Path | str) -> "SemanticBasis":
        """Read a basis that :meth:`save` wrote.

        Raises:
            OSError: if there is no such file, or it cannot be read.
            DamagedFileError: if it is damaged, holds no basis, or says of it what this version does not know; this is a
                ``ValueError``.
        """
        try:
            tensors, notes = read_tensors(path)
            vectors, token_ids = tensors["vectors"], tensors["token_ids"]
        except (DamagedFileError, KeyError):
            raise DamagedFileError(f"{path} is damaged or holds no basis: `semalign basis` writes one") from None
        if unknown := sorted(notes.keys() - set(NOTED)):
            raise DamagedFileError(
                f"{path} holds a basis of another version of semalign, with {', '.join(unknown)}: make it again"
            )
        # Earlier versions wrote no keys: such a basis matches by token strings.
        tokens, keys = (None if (part := notes.pop(name, None)) is None else tuple(part) for name in ("tokens", "keys"))
        return cls(vectors, token_ids, tokens, keys=keys, **notes)
