"""Parts of examples that fit the memory: as many as a user of this module wants at once, or fewer if they do not fit.

Before a part is computed, the memory that it needs is estimated; after an error that memory is too little, parts are
halved for good. Where memory is plentiful, the parts are always the same, and so is every digit of what they give.

The passes through a data set (:meth:`FittingParts.results`, :meth:`FittingParts.each`) sort the examples by length, so
that little of a padded part is padding.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import TypeVar

from semalign.models.architecture import Architecture
from semalign.models.memory import TooLargeError, clear, free_bytes, is_out_of_memory
from semalign.models.token_losses import LOGITS_AT_ONCE

logger = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
SHARE = 0.7  # of the free memory that a part may need by the estimate
PADDING = 256  # tokens; more of them cost more than a further part


class FittingParts:
    """Consecutive parts of examples that fit the memory of a model's devices.

    Args:
        architecture: the model that the parts are for.
        most: the most examples in a part; by default there is no limit but the memory.
        kept_layers: number of layers whose activations are kept for a backward pass.
        kept_states: number of further states of width D that are kept for each token.
        logits: whether logits are computed, in parts (:func:`semalign.models.token_losses.by_parts`).
        padding: the most tokens of padding in a part; infinity where each example of a part runs by itself.
    """

    def __init__(
        self,
        architecture: Architecture,
        most: int = sys.maxsize,
        *,
        kept_layers: int = 0,
        kept_states: int = 0,
        logits: bool = False,
        padding: float = PADDING,
    ) -> None:
        self.architecture, self.size, self.padding = architecture, most, padding
        self.kept_layers, self.kept_states, self.logits = kept_layers, kept_states, logits
        self._tried: tuple[int, int] = (most, 0)  # examples and tokens of the largest part since the last error

    def split(self, items: Sequence[T], lengths: Sequence[int]) -> Iterator[Sequence[T]]:
        """Yield consecutive parts; a part is shorter than :attr:`size` if it would not fit, or hold much padding.

        Args:
            items: the items.
            lengths: the number of tokens of each.
        """
        start, self._tried = 0, (0, 0)
        free = SHARE * free_bytes(self.architecture.model)  # asked once, as it takes as long as a small part
        while start < len(items):
            number = self._fitting(lengths[start : start + self.size], free)
            self._tried = max(self._tried, (number, max(lengths[start : start + number])))
            yield items[start : start + number]
            start += number

    def by_length(self, items: Sequence[T], lengths: Sequence[int]) -> list[Sequence[T]]:
        """Return parts of items of similar length; the items in the order in which they are given if one part will do.

        Args:
            items: the items.
            lengths: the number of tokens of each.
        """
        order = sorted(range(len(items)), key=lengths.__getitem__)
        parts = list(self.split([items[i] for i in order], [lengths[i] for i in order]))
        return [items] if len(parts) == 1 else parts

    def _fitting(self, lengths: Sequence[int], free: float) -> int:
        """Return how many of the next items fit, with little padding; at least one."""
        number = self._padded_little(lengths)
        while number > 1 and self.bytes_of(number, max(lengths[:number])) > free:
            number -= 1
        return number

    def _padded_little(self, lengths: Sequence[int]) -> int:
        """Return how many of the next items have at most :attr:`padding` tokens of padding together."""
        longest = tokens = 0
        for number, length in enumerate(lengths):
            longest, tokens = max(longest, length), tokens + length
            if (number + 1) * longest - tokens > self.padding:
                return number
        return len(lengths)

    def bytes_of(self, rows: int, tokens: int) -> int:
        """Return an estimate of the memory of a forward pass, and of the backward pass if there is one.

        A layer's activations are taken to be 14 states of width D, 4 of the width of the MLP, and two matrices of
        attention weights for each head; one layer has them at any time, and as many more as are kept.
        """
        model, config = self.architecture, self.architecture.model.config.get_text_config()
        inner = getattr(config, "intermediate_size", None) or 4 * model.width
        heads = getattr(config, "num_attention_heads", 1)
        layer = 14 * model.width + 4 * inner + 2 * heads * tokens
        numbers = (1 + self.kept_layers) * layer + self.kept_states * model.width
        at_once = min(rows * tokens * len(model.head_weight), LOGITS_AT_ONCE) if self.logits else 0
        logits = 3 * 4 * at_once  # in float32: with softmax and gradient
        return rows * tokens * numbers * model.head_weight.element_size() + logits

    def results(self, compute: Callable[[Sequence[T]], R], items: Sequence[T], lengths: Sequence[int]) -> Iterator[R]:
        """Yield what ``compute`` returns for parts of similar lengths, the longest first; halves of what does not fit.

        Args:
            compute: computes something from some of the items.
            items: the items.
            lengths: the number of tokens of each.

        Raises:
            TooLargeError: if a single item does not fit.
        """
        order = longest_first(lengths)
        items, lengths, start = [items[i] for i in order], [lengths[i] for i in order], 0
        while start < len(items):
            stop = start + self.size
            rest = items[start:stop]
            number = len(next(self.split(rest, lengths[start:stop])))
            yield self.retried(partial(self._first, compute, rest, number))
            start += min(number, self.size)

    def each(
        self, compute: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], lengths: Sequence[int]
    ) -> list[R]:
        """Return what ``compute`` returns for each item, in the order of the items; parts as of :meth:`results`."""
        found = [one for part in self.results(compute, items, lengths) for one in part]
        return [one for _, one in sorted(zip(longest_first(lengths), found, strict=True), key=itemgetter(0))]

    def _first(self, compute: Callable[[Sequence[T]], R], items: Sequence[T], number: int) -> R:
        return compute(items[: min(number, self.size)])

    def retried(self, compute: Callable[[], R], undo: Callable[[], None] = lambda: None) -> R:
        """Return what ``compute`` returns; as long as the memory is too little, halve the parts and compute it again.

        Args:
            compute: computes something from parts of :meth:`split`, or of at most :attr:`size` items.
            undo: takes back what an attempt that failed has left behind.

        Raises:
            TooLargeError: if a single item does not fit.
        """
        while True:
            try:
                return compute()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Here the error and its traceback, which holds the tensors of the attempt, are gone.
            undo()
            clear()
            self.halve()

    def halve(self) -> None:
        """Make the parts half as large as the largest that was tried; :class:`TooLargeError` for parts of one item."""
        rows, tokens = self._tried
        name = self.architecture.model.config.name_or_path or type(self.architecture.model).__name__
        if rows <= 1:
            raise TooLargeError(
                f"one example of {tokens} tokens does not fit the memory of {name} on {self.architecture.device}: "
                "use shorter rows, --dtype bfloat16 or a larger device; in training activation_checkpointing=true"
            )
        self.size = rows // 2
        self._tried = (self.size, tokens)
        logger.warning("%d examples at once do not fit the memory of %s: now %d", rows, name, self.size)


def longest_first(lengths: Sequence[int]) -> list[int]:
    """Return the indices of lengths in descending order, of equal lengths the first one first."""
    return sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
