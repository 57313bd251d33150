"""Layer attribution (Section 4.1): how much each layer contributes to the supervised objective."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedModel

from semalign.data.rows import IGNORED
from semalign.models import processes
from semalign.models.activation_checkpointing import checkpointed
from semalign.models.architecture import Architecture
from semalign.models.batching import FittingParts
from semalign.models.evaluating import evaluating, plain_torch
from semalign.models.finite import check_finite
from semalign.models.loading import LanguageModel, unwrap
from semalign.models.token_losses import token_losses
from semalign.targets.attributed import activation_modules, units_of
from semalign.targets.attribution_methods import METHODS, Attributed

BATCH = ("input_ids", "attention_mask", "labels")
AGGREGATIONS = ("absolute", "signed")


def attribute_layers(
    model: PreTrainedModel | LanguageModel,
    batches: Iterable[Mapping[str, Tensor]],
    interface: str = "mlp",
    *,
    aggregation: str = "absolute",
    method: str = "gradient_x_activation",
) -> Float[Tensor, " layers"]:
    """Return one importance score for each layer, by default Layer Gradient x Activation of the log-likelihood.

    For layer l with activations h at the interface, ``score_l`` is the mean over examples of
    ``sum over tokens and channels of h * d(log p(response | prompt)) / dh``. ``signed`` takes the sum itself,
    ``absolute`` the sum of magnitudes. Of several processes (``accelerate launch``, ``torchrun``), each scores its
    share of the batches and the scores are added up, so every process returns the same result.

    Args:
        model: a causal language model.
        batches: dicts of ``input_ids``, ``attention_mask`` and ``labels`` (-100 where there is no supervision), each of
            shape (batch, tokens), as :func:`semalign.data.rows.batches` yields them. A label stands at its own
            token's position, as in transformers.
        interface: ``attention``, ``mlp``, ``residual`` or ``layer``, see :func:`semalign.models.capture.capture`; or
            ``heads``, with which a layer's score is that of its best attention head, see
            :func:`semalign.targets.attribution.attribute_units`.
        aggregation: ``absolute`` or ``signed``.
        method: how the objective is attributed, one of :data:`semalign.targets.attribution_methods.METHODS`; the
            magnitudes of an ablation are those of whole examples.

    Raises:
        ValueError: for an unknown interface, aggregation or method, if no batch has a supervised token, or if the model
            computes NaN or infinity (:class:`semalign.models.finite.NotFiniteError`).
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"unknown aggregation {aggregation!r}: choose {' or '.join(AGGREGATIONS)}")
    return attribute_units(model, batches, interface, method=method)[aggregation].amax(1)


@plain_torch(gradients=True)
def attribute_units(
    model: PreTrainedModel | LanguageModel,
    batches: Iterable[Mapping[str, Tensor]],
    interface: str = "heads",
    *,
    method: str = "gradient_x_activation",
) -> dict[str, Float[Tensor, "layers units"]]:
    """Return the scores of each unit of a layer: each of its attention heads, or the layer itself.

    The activation of a head is its output before the matrix that mixes the heads. Arguments and errors are those of
    :func:`semalign.attribute_layers`; the result has both aggregations by name, which one pass gives.
    """
    if method not in METHODS:
        raise ValueError(f"unknown attribution method {method!r}: choose {' or '.join(METHODS)}")
    architecture = Architecture(unwrap(model)[0])
    shape = len(AGGREGATIONS), architecture.n_layers, units_of(architecture, interface)
    # All scores, then the number of examples, so that one all_reduce adds up both.
    totals = torch.zeros(math.prod(shape) + 1, dtype=torch.float64, device=architecture.device)
    # Of each layer captum keeps activation, gradient and product, and checkpointing the input.
    parts = FittingParts(architecture, kept_states=4 * architecture.n_layers)
    own = islice(batches, processes.number(), None, processes.count())
    with (
        checkpointed(architecture),
        activation_modules(architecture, interface) as modules,
        evaluating(architecture.model, gradients=True),
    ):
        rows_of = partial(Attributed, _log_likelihood(architecture), modules, shape[-1])
        for batch in tqdm(own, desc="attribution", leave=False, disable=processes.quiet()):
            score = partial(_score_rows, architecture, rows_of, batch, method)
            lengths = batch["attention_mask"].sum(1).tolist()
            for found in parts.results(score, range(len(lengths)), lengths):
                totals += found
    processes.add_up([totals])
    if totals[-1] == 0:
        raise ValueError("no supervised token in the batches: give rows with a response")
    means = (totals[:-1] / totals[-1]).float().reshape(shape)
    return dict(zip(AGGREGATIONS, means, strict=True))


def _score_rows(
    architecture: Architecture,
    rows_of: partial[Attributed],
    batch: Mapping[str, Tensor],
    method: str,
    rows: Sequence[int],
) -> Float[Tensor, " scores_and_count"]:
    """Return the summed scores of some rows of a batch and the number of those that have a supervised token."""
    read = batch["attention_mask"][list(rows)].any(0)  # columns that are not padding of all these rows
    part = {name: batch[name][list(rows)][:, read].to(architecture.device) for name in BATCH}
    score = partial(_score_part, architecture, rows_of, part, method)
    found = score()
    check_finite(found, "the attribution scores", architecture, score)
    return found


def _score_part(
    architecture: Architecture, rows_of: partial[Attributed], part: Mapping[str, Tensor], method: str
) -> Float[Tensor, " scores_and_count"]:
    input_ids, mask, labels = (part[name] for name in BATCH)
    count = (labels[:, 1:] != IGNORED).any(-1).sum()
    # Gradients start at the embeddings, so that no layer depends on where captum looks, and each can be computed again.
    embeddings = architecture.model.get_input_embeddings()(input_ids).detach().requires_grad_()
    parts = METHODS[method](rows_of(embeddings, mask, labels))  # each of shape (batch, tokens, units, channels)
    summed = partial(torch.sum, dim=(0, 1, 3), dtype=torch.float64)
    return torch.cat([*(summed(p.abs()) for p in parts), *(summed(p) for p in parts), count.double()[None]])


def _log_likelihood(architecture: Architecture) -> Any:
    """Return a function that gives each example's log-likelihood of its supervised tokens, shape (batch,)."""

    def forward(embeddings: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        states = architecture.run(mask, inputs_embeds=embeddings)
        shifted = labels[:, 1:]
        supervised = shifted != IGNORED
        losses = token_losses(architecture, states[:, :-1][supervised], shifted[supervised])
        rows = supervised.nonzero()[:, 0]  # the example that each loss belongs to
        return -losses.new_zeros(len(labels)).index_add(0, rows, losses)

    return forward
