"""How much the vocabularies of two models share, for records, the terminal, and before any training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from semalign.bases.token_keys import TokenNames
from semalign.data.messages import rendered
from semalign.data.rows import Example
from semalign.models.loading import check_given
from semalign.models.logit_head import head_weight
from semalign.models.outline import outline_of
from semalign.targets.vocabularies import Named, match_atoms

logger = logging.getLogger(__name__)
WARN_BELOW = 0.5
SIDES = ("teacher", "student")


def compare_vocabularies(
    teacher: str | Path, student: str | Path, rows: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return the :func:`vocabulary_report` of two models by name or path; no weights are read.

    Args:
        teacher: the teacher, as :func:`semalign.load_model` takes it.
        student: the student.
        rows: rows of data, for the coverage; conversations are of the student's chat template.

    Raises:
        ValueError: for a model that cannot be read, or a row that cannot be encoded.
        FileNotFoundError: for a model that does not exist.
    """
    for model in (teacher, student):
        check_given(model)
    sides = [outline_of(model) for model in (teacher, student)]
    texts = rendered(rows, sides[1].tokenizer)
    names = [TokenNames.of(side.tokenizer, len(head_weight(side.model))) for side in sides]
    examples = [side.encode(texts) for side in sides]
    return vocabulary_report(names[0], names[1], examples[0], examples[1])


def vocabulary_report(
    teacher: Named, student: Named, teacher_examples: Sequence[Example] = (), student_examples: Sequence[Example] = ()
) -> dict[str, Any]:
    """Return how much two models share, for a run record, and warn of what is below half.

    Args:
        teacher: the teacher's atoms.
        student: the student's atoms.
        teacher_examples: rows as the teacher reads them, for the coverage; none: no coverage.
        student_examples: the same rows as the student reads them.

    Returns:
        ``by``, the number of ``shared`` atoms, and for ``teacher`` and ``student`` the number of ``atoms``, the
        ``share`` of them that is shared, and the ``coverage``: the share of the rows' response tokens that are shared
        atoms.
    """
    found = match_atoms(teacher, student)
    report: dict[str, Any] = {"by": found.by, "shared": len(found.teacher)}
    parts = (teacher, found.teacher, teacher_examples), (student, found.student, student_examples)
    for side, (named, atoms, examples) in zip(SIDES, parts, strict=True):
        ids = torch.as_tensor(named.token_ids)[atoms.cpu()]
        share = len(atoms) / len(named.token_ids)
        report[side] = {"atoms": len(named.token_ids), "share": share, "coverage": _coverage(ids, examples)}
    if found.by == "strings" and teacher.tokens != student.tokens:
        unknown = " and ".join(side for side, part in zip(SIDES, (teacher, student), strict=True) if part.keys is None)
        logger.warning("the tokenizer of the %s does not tell its tokens' bytes: token strings are compared", unknown)
    for problem in _problems(report):
        logger.warning("%s", problem)
    return report


def _coverage(shared_ids: Int[Tensor, " shared"], examples: Sequence[Example]) -> float | None:
    """Return the share of the examples' response tokens, their end included, that are shared; None without any."""
    shared = set(shared_ids.tolist())
    inside = [example.input_ids[i + 1] in shared for example in examples for i in example.positions()]
    return sum(inside) / len(inside) if inside else None


def _problems(report: dict[str, Any]) -> list[str]:
    """Return a line for each share below half: of the smaller vocabulary, and of each model's response tokens."""
    smaller = min(reversed(SIDES), key=lambda side: report[side]["atoms"])
    part, advice = report[smaller], "choose a pair whose tokenizers have more in common, or train on labels alone"
    problems = []
    if part["share"] < WARN_BELOW:
        problems.append(
            f"only {part['share']:.1%} of the {smaller}'s {part['atoms']:,} tokens are shared atoms (by "
            f"{report['by']}), so that map and KL term say nothing of the others: {advice}"
        )
    for side in SIDES:
        coverage = report[side]["coverage"]
        if coverage is not None and coverage < WARN_BELOW:
            problems.append(
                f"only {coverage:.1%} of the {side}'s response tokens in these rows are shared atoms, so that map and "
                f"KL term say nothing of the others: {advice}"
            )
    return problems


def report_lines(report: dict[str, Any]) -> list[str]:
    """Return a :func:`vocabulary_report` as lines for the terminal."""
    shares = " and ".join(f"{report[side]['share']:.1%} of the {side}'s {report[side]['atoms']:,}" for side in SIDES)
    lines = [f"shared atoms: {report['shared']:,} by {report['by']}, {shares}"]
    if all(report[side]["coverage"] is not None for side in SIDES):
        covered = " and ".join(f"{report[side]['coverage']:.1%} of the {side}'s" for side in SIDES)
        lines.append(f"response tokens that are shared atoms: {covered}")
    return lines
