"""Log-likelihoods of continuations: each context is run once, and few logits beyond those asked for are computed."""

import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from semalign.models.finite import check_logits
from semalign.models.precision import wide
from semalign.models.wide_head import wide_head

Pair = tuple[Sequence[int], Sequence[int]]
LARGEST = 2**28  # logits of a batch, 1 GiB in float32


class Likelihood(NamedTuple):
    """Log-likelihood of a continuation, and whether greedy decoding would give it; ``pair`` is its number."""

    pair: int
    value: float
    greedy: bool


def chooses_logits(model: nn.Module) -> bool:
    """Return whether a model can be asked for the logits of some positions only."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def likelihoods(model: PreTrainedModel, pairs: Sequence[Pair], rows: int, context: int) -> Iterator[list[Likelihood]]:
    r"""Yield, batch by batch, :math:`\sum_i \log p(y_i \mid x, y_{<i})` for pairs of context x and continuation y.

    Pairs that differ only in the last token of y, such as the letters of a question, are one row. Rows of about the
    same length are in a batch, so that little is padded. Logits and their sums are in float32 or wider.

    Args:
        model: a model that :func:`chooses_logits`.
        pairs: token ids of context and continuation.
        rows: how many rows at a time; fewer where they would have more than :data:`LARGEST` logits.
        context: number of positions that the model has; of what is longer, the last tokens are read.
    """
    same: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, (start, end) in enumerate(pairs):
        same[(*start, *end)[-context - 1 : -1]].append(number)
    texts, vocabulary = sorted(same, key=len, reverse=True), model.config.get_text_config().vocab_size
    while texts:
        batch = texts[:rows]
        while len(batch) > 1 and _positions(batch, same, pairs) * len(batch) * vocabulary > LARGEST:
            batch = batch[: len(batch) // 2]
        texts = texts[len(batch) :]
        yield _of_batch(model, batch, [(row, number) for row, text in enumerate(batch) for number in same[text]], pairs)


def _positions(
    texts: Sequence[tuple[int, ...]], same: Mapping[tuple[int, ...], list[int]], pairs: Sequence[Pair]
) -> int:
    """Return at how many positions of a batch logits are computed, about: from the first that a row asks for."""
    longest = [max(len(pairs[number][1]) for number in same[text]) for text in texts]
    return len(texts[0]) - min(len(text) - most for text, most in zip(texts, longest, strict=True))


@torch.no_grad()
def _of_batch(
    model: PreTrainedModel, texts: Sequence[tuple[int, ...]], asked: list[tuple[int, int]], pairs: Sequence[Pair]
) -> list[Likelihood]:
    """Return the log-likelihoods of pairs, each given as the number of its row and its own."""
    # Logit i says what follows token i. Of row r, those before and at the end of its text say the continuation.
    wanted = [(row, len(texts[row]) - back) for row, number in asked for back in range(len(pairs[number][1]), 0, -1)]
    logits = _logits_at(model, texts, wanted)
    targets = torch.tensor([token for _, number in asked for token in pairs[number][1]], device=logits.device)
    log_probabilities = logits.log_softmax(-1)
    values = log_probabilities.gather(1, targets[:, None])[:, 0]
    greedy = log_probabilities.argmax(-1) == targets
    found, start = [], 0
    for _, number in asked:
        end = start + len(pairs[number][1])
        found.append(Likelihood(number, float(values[start:end].sum()), bool(greedy[start:end].all())))
        start = end
    return found


def _logits_at(
    model: PreTrainedModel, texts: Sequence[Sequence[int]], wanted: Sequence[tuple[int, int]]
) -> Float[Tensor, "wanted v"]:
    """Return the logits of some positions, each a row and an index in it."""
    width = max(map(len, texts))
    ids: Int[Tensor, "rows tokens"] = torch.tensor([[*text, *[0] * (width - len(text))] for text in texts])
    ids = ids.to(model.device)
    kept = sorted({index for _, index in wanted})  # few, since the rows are of about the same length
    place = {index: number for number, index in enumerate(kept)}
    run = partial(model, ids, logits_to_keep=torch.tensor(kept, device=ids.device))
    with wide_head(model):
        logits = run().logits
    check_logits(logits, model, run)
    rows, places = zip(*((row, place[index]) for row, index in wanted), strict=True)
    return wide(logits[list(rows), list(places)])
