"""A teacher and a student, for any method."""

from collections.abc import Sequence
from typing import NamedTuple

from semalign.data.rows import Example, Row, encode
from semalign.models.architecture import Architecture
from semalign.models.identity import computed_by, model_identity
from semalign.models.loading import LanguageModel


class Encoded(NamedTuple):
    """The same rows as the teacher reads them and as the student does."""

    teacher: list[Example]
    student: list[Example]


class Pair:
    """A teacher and a student with what every method asks of them.

    Args:
        teacher: the larger model.
        student: the smaller model.

    Raises:
        ValueError: if an architecture is unknown.
    """

    def __init__(self, teacher: LanguageModel, student: LanguageModel) -> None:
        self.teacher, self.student = teacher, student
        self.teacher_architecture = Architecture(teacher.model)
        self.student_architecture = Architecture(student.model)
        self.fingerprints = {"teacher": model_identity(teacher), "student": model_identity(student)}
        self.computed_by = computed_by(teacher.model, student.model)

    def encode(self, rows: Sequence[Row]) -> Encoded:
        """Return both encodings of rows; ``ValueError`` if one does not fit a context."""
        teacher, student = (encode(rows, m.tokenizer, m.context_length) for m in (self.teacher, self.student))
        return Encoded(teacher, student)
