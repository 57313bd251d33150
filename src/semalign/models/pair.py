"""A teacher and a student, for any method; their weights are read when they are needed."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from semalign.data.messages import rendered
from semalign.data.rows import Example, Row
from semalign.models.architecture import Architecture
from semalign.models.identity import computed_by
from semalign.models.loading import LanguageModel
from semalign.models.source import Model, ModelSource, source_of

KEPT_ROWS = 20_000  # encoded rows that a model keeps for the next runs


class Encoded(NamedTuple):
    """The same rows as the teacher reads them and as the student does."""

    teacher: list[Example]
    student: list[Example]


class Pair:
    """A teacher and a student with what every method asks of them.

    A model that is given by name is loaded on first use, and its sources give its memory back: a method that takes
    what it needs of the teacher, releases it and then takes the student never has both in memory.

    Args:
        teacher: the larger model, in memory or by name.
        student: the smaller model, in memory or by name.

    Attributes:
        teacher_source: where the teacher comes from.
        student_source: where the student comes from.
        teacher_outline: the teacher's architecture, without numbers if it is given by name.
        student_outline: the student's architecture, without numbers if it is given by name.
        computed_by: see :func:`semalign.models.identity.computed_by`.

    Raises:
        ValueError: if an architecture is unknown.
    """

    def __init__(self, teacher: Model, student: Model) -> None:
        self.teacher_source, self.student_source = source_of(teacher), source_of(student)
        self.teacher_outline = Architecture(self.teacher_source.outline.model)
        self.student_outline = Architecture(self.student_source.outline.model)
        self.computed_by = computed_by(self.teacher_outline.model, self.student_outline.model)

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The identities of both; weights are read if they are not known."""
        sources = {"teacher": self.teacher_source, "student": self.student_source}
        return {name: source.facts.identity for name, source in sources.items()}

    @property
    def teacher(self) -> LanguageModel:
        """The teacher, loaded if it is not in memory."""
        return self.teacher_source.load()

    @property
    def student(self) -> LanguageModel:
        """The student, loaded if it is not in memory."""
        return self.student_source.load()

    @property
    def teacher_architecture(self) -> Architecture:
        """The architecture of :attr:`teacher`."""
        return Architecture(self.teacher.model)

    @property
    def student_architecture(self) -> Architecture:
        """The architecture of :attr:`student`."""
        return Architecture(self.student.model)

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return both encodings of rows; conversations are of the student's chat template for both.

        Raises:
            ValueError: see :meth:`semalign.models.loading.LanguageModel.encode`; it names the model.
        """
        sources = self.teacher_source, self.student_source
        texts = rendered(rows, sources[1].outline.tokenizer)
        teacher, student = (self._encoded(texts, source) for source in sources)
        return Encoded(teacher, student)

    @staticmethod
    def _encoded(texts: Sequence[Row], source: ModelSource) -> list[Example]:
        """Return the encoded rows; those that the source has encoded before are not encoded again."""
        model, known = source.outline, source.examples
        if len(known) > KEPT_ROWS:
            known.clear()
        keys = [(row["prompt"], row["response"]) for row in texts]
        lacking = {key: row for key, row in zip(keys, texts, strict=True) if key not in known}
        try:
            known.update(zip(lacking, model.encode(list(lacking.values())), strict=True))
        except ValueError:
            _check_all(texts, model)
            raise
        return [known[key] for key in keys]


def _check_all(texts: Sequence[Row], model: LanguageModel) -> None:
    """Raise ``ValueError`` for the first row that the model cannot read, with its number among all and the model."""
    try:
        model.encode(texts)
    except ValueError as error:
        raise ValueError(f"{model.name}, {error}") from error
