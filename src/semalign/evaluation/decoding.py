"""Greedy decoding in which a row that has ended makes room for the next prompt.

``generate`` of transformers runs a batch until its longest answer has ended. Here rows leave a batch, and the longest
prompts that wait enter it. Rows are aligned on the right in one cache, so that each step adds one token to all of them.
The tokens are those of ``generate``: each the most likely one after the prompt and the tokens before it.
"""

import inspect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, GenerationMixin, PreTrainedModel

from semalign.evaluation.cache import is_plain, joined, roomy_cache
from semalign.evaluation.same_tokens import padded
from semalign.models.attention import by_groups
from semalign.models.finite import check_logits

NEEDED = {"input_ids", "attention_mask", "position_ids", "past_key_values", "logits_to_keep"}
WAYS = ("generate", "prepare_inputs_for_generation")
COST = 2  # what it costs to make a batch anew, in steps of it: the kept keys and values are copied


def decodes(model: PreTrainedModel) -> bool:
    """Return whether a model can be decoded here: by keys and values of all tokens, without a way of its own."""
    own = any(getattr(getattr(model, name), "__func__", None) is not getattr(GenerationMixin, name) for name in WAYS)
    return not own and is_plain(model.config) and set(inspect.signature(model.forward).parameters) >= NEEDED


class Answer(NamedTuple):
    """The tokens that a model gave to a prompt; ``prompt`` is its number."""

    prompt: int
    tokens: list[int]


@dataclass
class Batch:
    """Rows that are decoded together.

    Attributes:
        answers: what each row has said so far.
        lengths: how many tokens of each row are in the cache: the prompt and all but the last token of its answer.
        cache: keys and values, aligned on the right.
        ended: the rows that have ended; they are there until the batch is made anew.
        idle: how many tokens these have been given since.
    """

    answers: list[Answer]
    lengths: Int[Tensor, " rows"]
    cache: DynamicCache
    ended: set[int] = field(default_factory=set)
    idle: int = 0

    @property
    def running(self) -> list[int]:
        """The rows that have not ended."""
        return [row for row in range(len(self.answers)) if row not in self.ended]

    @property
    def is_idle(self) -> bool:
        """Whether it has spent on rows that have ended what it costs to make it anew, or all have ended."""
        return self.idle >= COST * len(self.answers) or len(self.ended) == len(self.answers)


class Decoder:
    """Decodes many prompts, some rows at a time.

    Args:
        model: a model that :func:`decodes`.
        ends: says whether an answer ends with its last token.
        rows: how many rows at a time.
        filler: a token that pads prompts, and follows answers that have ended.
        context: number of positions that the model has.
    """

    def __init__(
        self, model: PreTrainedModel, ends: Callable[[list[int]], bool], rows: int, filler: int, context: int
    ) -> None:
        self.model, self.ends, self.rows, self.filler, self.context = model, ends, rows, filler, context

    def answers(self, prompts: Sequence[Sequence[int]]) -> Iterator[Answer]:
        """Yield the answer to each prompt as soon as it has ended."""
        waiting = deque(sorted(range(len(prompts)), key=lambda number: len(prompts[number]), reverse=True))
        batch: Batch | None = None
        while waiting or batch is not None:
            if batch is not None and not batch.is_idle:
                yield from self._said(batch, self._step(batch))
                continue
            room = self.rows - (len(batch.running) if batch else 0)
            numbers = [waiting.popleft() for _ in range(min(room, len(waiting)))]
            entering = None
            if numbers:
                entering, logits = self._begun(numbers, [prompts[number] for number in numbers])
                yield from self._said(entering, logits)
            batch = self._together([part for part in (batch, entering) if part is not None and part.running])

    @torch.no_grad()
    def _begun(self, numbers: list[int], prompts: list[Sequence[int]]) -> tuple[Batch, Float[Tensor, "rows v"]]:
        """Return a batch of new rows with the logits behind their prompts."""
        ids, mask = (part.to(self.model.device) for part in padded(prompts, self.filler))
        batch = Batch([Answer(number, []) for number in numbers], mask.sum(1), roomy_cache(self.model.config))
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        return batch, self._logits(batch, ids, mask, positions)

    @torch.no_grad()
    def _step(self, batch: Batch) -> Float[Tensor, "rows v"]:
        """Give a batch its last tokens; return the logits behind them. Rows that have ended get any token."""
        last = [self.filler if row in batch.ended else answer.tokens[-1] for row, answer in enumerate(batch.answers)]
        batch.lengths, batch.idle = batch.lengths + 1, batch.idle + len(batch.ended)
        width = batch.cache.get_seq_length() + 1
        places = torch.arange(width, device=batch.lengths.device)
        mask = (places >= width - batch.lengths[:, None]).long()
        positions = (batch.lengths - 1).clamp(max=self.context - 1)
        ids = torch.tensor(last, device=self.model.device)
        return self._logits(batch, ids[:, None], mask, positions[:, None])

    def _logits(self, batch: Batch, ids: Tensor, mask: Tensor, positions: Tensor) -> Float[Tensor, "rows v"]:
        inputs = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        with by_groups(self.model):
            run = partial(self.model, **inputs, past_key_values=batch.cache, use_cache=True, logits_to_keep=1)
            logits = run().logits[:, -1]
        check_logits(logits, self.model, run)
        return logits

    def _said(self, batch: Batch, logits: Float[Tensor, "rows v"]) -> Iterator[Answer]:
        """Add the most likely token to each row that has not ended; yield the answers that end with it."""
        tokens = logits.float().argmax(-1).tolist()
        for row in batch.running:
            answer = batch.answers[row]
            answer.tokens.append(tokens[row])
            if self.ends(answer.tokens):
                batch.ended.add(row)
                yield answer

    def _together(self, parts: list[Batch]) -> Batch | None:
        """Return one batch with the rows of some batches that have not ended; None without any."""
        if len(parts) < 2 and not any(part.ended for part in parts):
            return parts[0] if parts else None
        lengths = torch.cat([part.lengths[part.running] for part in parts])
        kept = [(part.cache, part.running) for part in parts]
        answers = [part.answers[row] for part in parts for row in part.running]
        return Batch(answers, lengths, joined(kept, int(lengths.max()), self.model.config))
