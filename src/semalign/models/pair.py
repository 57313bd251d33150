"""A teacher and a student, for any method."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from semalign.data.messages import rendered
from semalign.data.rows import Example, Row
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

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return both encodings of rows; conversations are of the student's chat template for both.

        Raises:
            ValueError: see :meth:`semalign.models.loading.LanguageModel.encode`; it names the model.
        """
        texts = rendered(rows, self.student.tokenizer)
        teacher, student = (self._encoded(texts, model) for model in (self.teacher, self.student))
        return Encoded(teacher, student)

    @staticmethod
    def _encoded(texts: Sequence[Row], model: LanguageModel) -> list[Example]:
        try:
            return model.encode(texts)
        except ValueError as error:
            raise ValueError(f"{model.name}, {error}") from error
