"""How long the texts of a profile are: counted or estimated where its data are on this machine, assumed otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

from semalign.data import sources, tasks
from semalign.data import training_rows as training
from semalign.data.task_check import OUTPUTS
from semalign.data.task_file import task_file, task_name
from semalign.experiments.named_inputs import splits_of
from semalign.experiments.profiles import Profile
from semalign.experiments.selection_currency import ITEMS, SPLIT
from semalign.planning.lengths import Known, lengths_of, tokenizer_of
from semalign.settings import MethodSettings, TrainingSettings

ASSUMED = {  # items of the test split, and tokens of prompt and response, where the data are not here
    "mmlu": (14042, 180, 2),
    "gsm8k": (1319, 100, 140),
    "humaneval": (164, 300, 250),
    "mbpp": (500, 120, 120),
}
OTHERWISE = (1000, 200, 200)


@dataclass(frozen=True, eq=False)
class Texts:
    """The lengths of some rows in tokens, and how they are known.

    Attributes:
        prompts: tokens of each prompt.
        responses: tokens of each response.
        known: how.
        how: more about it, for lengths that were not counted.
    """

    prompts: Int[np.ndarray, " rows"]
    responses: Int[np.ndarray, " rows"]
    known: Known = Known.COUNTED
    how: str = ""

    @classmethod
    def of(
        cls, lengths: Sequence[tuple[int, int]] | np.ndarray, known: Known = Known.COUNTED, how: str = ""
    ) -> "Texts":
        """Return texts from the lengths of prompt and response of each row."""
        both = np.array(lengths, dtype=np.int64).reshape(-1, 2)
        return cls(both[:, 0], both[:, 1], known, how)

    @property
    def said(self) -> str:
        """How the lengths are known, in words."""
        return f"{self.known}: {self.how}" if self.how else str(self.known)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.prompts)

    @cached_property
    def whole(self) -> Int[np.ndarray, " rows"]:
        """Tokens of each row: prompt, response and end of sequence."""
        return self.prompts + self.responses + 1

    @cached_property
    def tokens(self) -> int:
        """Number of tokens of all rows."""
        return int(self.whole.sum())

    @cached_property
    def positions(self) -> int:
        """Number of supervised positions of all rows: those before a token of the response or the end."""
        return int(self.responses.sum()) + len(self)

    @cached_property
    def squares(self) -> int:
        """Sum of the squared lengths, which attention grows with."""
        return int((self.whole**2).sum())

    def at(self, rows: Int[np.ndarray, " _"] | slice) -> "Texts":
        """Return some rows."""
        return replace(self, prompts=self.prompts[rows], responses=self.responses[rows])

    def first(self, n: int) -> "Texts":
        """Return the first rows."""
        return self.at(slice(n))

    def longest(self, n: int) -> "Texts":
        """Return the longest rows, which decide the memory of a batch."""
        return self.at(np.argsort(-self.whole, kind="stable")[:n])

    def between(self, start: int, stop: int) -> "Texts":
        """Return rows ``start`` to ``stop``; at least the last of all."""
        return self.at(slice(start, stop) if start < len(self) else slice(-1, None))

    def cycled(self, n: int) -> "Texts":
        """Return ``n`` rows, over and over again from the first."""
        return self.at(np.arange(n) % len(self))

    def padded(self, rows: int, among: int | None = None) -> "Texts":
        """Return all lengths as they are in padded batches of some rows, in order, or sorted among more of them."""
        order = np.arange(len(self))
        if among is not None and among > rows:
            order = np.lexsort((self.whole, order // among))  # by length within each part of `among` rows
        found = self.at(order)
        starts = np.arange(0, len(self), rows)
        widths = np.repeat(np.maximum.reduceat(found.whole, starts), rows)[: len(self)]
        return replace(found, prompts=widths - 1 - found.responses)


def trained_on(texts: Texts, settings: MethodSettings) -> Texts:
    """Return the texts of the first ``train_size`` rows, which a training with these settings uses; else all."""
    return texts.first(settings.train_size or len(texts)) if isinstance(settings, TrainingSettings) else texts


def bare(texts: Texts) -> Texts:
    """Return the prompts alone, which have nothing supervised."""
    return replace(texts, prompts=texts.prompts - 1, responses=np.zeros_like(texts.responses))


def training_texts(profile: Profile, task: str) -> Texts:
    """Return the lengths of the training rows of a task for the student; see :func:`.lengths.lengths_of`."""
    settings = profile.tasks[task]
    if not _is_here(profile, task):
        return _assumed(task, settings.train_size or OTHERWISE[0])
    found = training.rows(
        task, settings.train_size, settings.training_data, chat=profile.evaluation.chat, tokenizer=_chat(profile, task)
    )
    return Texts.of(*lengths_of(found, tokenizer_of(profile.student)))


def test_texts(profile: Profile, task: str, split: str = "test") -> Texts:
    """Return the lengths of the items that a task is scored on; a response is the right answer."""
    limit = ITEMS if split == SPLIT else profile.evaluation.limit
    if not _is_here(profile, task):
        most = (limit or 10**9) * (SUBJECTS if task_file(task).metadata.get("group_by") else 1)
        return _assumed(task, min(ASSUMED.get(task_name(task), OTHERWISE)[0], most))
    loaded = tasks.load_task(task, split, limit, chat=profile.evaluation.chat, tokenizer=_chat(profile, task))
    return Texts.of(*lengths_of(tasks.rows_of(loaded), tokenizer_of(profile.student)))


SUBJECTS = 57  # groups of MMLU, the one bundled task whose limit is of each group


class ProfileTexts:
    """The lengths of all texts of a profile, each read once."""

    def __init__(self, profile: Profile) -> None:
        self.training = cache(partial(training_texts, profile))
        self.test = cache(partial(test_texts, profile))


def _is_here(profile: Profile, task: str) -> bool:
    """Return whether all data of a task are in a data root; the hub is not asked."""
    try:
        for split in splits_of(profile.model_copy(update={"tasks": {task: profile.tasks[task]}})):
            sources.locate(*split)
    except FileNotFoundError:
        return False
    return tasks.chat_name(task, profile.evaluation.chat) != "model" or tokenizer_of(profile.student) is not None


def _assumed(task: str, n: int) -> Texts:
    _, prompt, response = ASSUMED.get(task_name(task), OTHERWISE)
    how = f"{prompt} tokens and {response} of the response"
    return Texts.of([(prompt, response)] * n, Known.ASSUMED, how)


def _chat(profile: Profile, task: str) -> PreTrainedTokenizerBase | None:
    wanted = tasks.chat_name(task, profile.evaluation.chat) == "model"
    return tokenizer_of(profile.student) if wanted else None


def needs_generation(task: str) -> bool:
    """Return whether a task asks the model for text."""
    return task_file(task).content.get("output_type", OUTPUTS[0]) == OUTPUTS[0]
