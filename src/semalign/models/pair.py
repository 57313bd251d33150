"""A teacher and a student, whatever the method."""

from collections.abc import Sequence

from semalign.data.rows import Example, Row, encode
from semalign.files import model_fingerprint
from semalign.models.architecture import Architecture
from semalign.models.loading import LanguageModel


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
        self.fingerprints = {
            "teacher": model_fingerprint(teacher.model),
            "student": model_fingerprint(student.model),
        }

    def encode(self, rows: Sequence[Row]) -> tuple[list[Example], list[Example]]:
        """Return the student's and the teacher's encoding of rows; ``ValueError`` if one does not fit a context."""
        student, teacher = (
            encode(rows, model.tokenizer, model.model.config.get_text_config().max_position_embeddings)
            for model in (self.student, self.teacher)
        )
        return student, teacher
