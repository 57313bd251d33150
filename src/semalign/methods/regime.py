"""What a method trains on, of the rows that it is given: how many of them, and whose responses."""

import logging
from collections.abc import Mapping, Sequence

from semalign.files import json_fingerprint
from semalign.models.answers import LONGEST, greedy_answers
from semalign.models.kept import computed_once
from semalign.models.pair import Pair
from semalign.outputs import check_folder
from semalign.paths import cache_dir
from semalign.settings import TrainingSettings
from semalign.training.adaptation import Inputs

logger = logging.getLogger(__name__)
Rows = Sequence[dict[str, str]]
SHOWN = 10  # numbers of rows in a message


def rows_to_train(inputs: Inputs) -> Rows:
    """Return the first ``train_size`` rows, with the teacher's greedy answers as responses if the settings ask for it.

    Rows to which the teacher gives no answer, one that does not end, or one that a model cannot read, such as one that
    is too long for the student, are left out, and their number is logged. Answers are kept in the cache folder.
    Held-out rows keep their own responses.

    Raises:
        ValueError: if there are fewer rows than ``train_size``, or no row has an answer.
    """
    settings = inputs.settings
    if not isinstance(settings, TrainingSettings):
        return inputs.rows
    rows = inputs.rows[: settings.train_size]
    return rows if settings.responses == "given" else _answered(inputs, rows)


def check_regime(rows: Rows, settings: object) -> None:
    """Make sure that the settings can be followed.

    Raises:
        ValueError: if there are fewer rows than ``train_size``.
        OSError: if the teacher's answers cannot be kept.
    """
    if not isinstance(settings, TrainingSettings):
        return
    size = settings.train_size
    if size is not None and size > len(rows):
        lacking = f"there are {len(rows)} training rows, fewer than train_size={size}"
        raise ValueError(f"{lacking}: lower train_size to {len(rows)} or leave it out")
    if settings.responses == "teacher":
        check_folder(cache_dir() / "answers")


def _answered(inputs: Inputs, rows: Rows) -> Rows:
    pair, prompts = inputs.pair, [row["prompt"] for row in rows]
    key = json_fingerprint([pair.fingerprints["teacher"], pair.computed_by, LONGEST, prompts])
    answers = computed_once(cache_dir() / "answers" / f"{key}.json", lambda: greedy_answers(pair.teacher, prompts))
    answered = {
        number: {"prompt": prompt, "response": answer}
        for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True), start=1)
        if answer
    }
    if not answered:
        raise ValueError(f"the teacher ends none of its answers to {len(rows)} prompts within {LONGEST} tokens")
    if left_out := len(rows) - len(answered):
        logger.warning("%d of %d rows are left out: the teacher ends no answer to them", left_out, len(rows))
    return _readable(pair, answered)


def _readable(pair: Pair, rows: Mapping[int, dict[str, str]]) -> Rows:
    """Return the rows that both models can read; those that they cannot read are told by their numbers."""
    found, left_out = [], {}
    for number, row in rows.items():
        try:
            pair.encode([row])
            found.append(row)
        except ValueError as error:
            left_out[number] = str(error).replace(", row 1", f", row {number}", 1)  # it was read alone, as the first
    why = next(iter(left_out.values()), "")
    if not found:
        raise ValueError(f"no answer of the teacher can be read by both models: {why}")
    if left_out:
        numbers = ", ".join(map(str, list(left_out)[:SHOWN])) + (", ..." if len(left_out) > SHOWN else "")
        told = "%d of %d answers of the teacher are left out, to rows %s: %s"
        logger.warning(told, len(left_out), len(rows), numbers, why)
    return found
