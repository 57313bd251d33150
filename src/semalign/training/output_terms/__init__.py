"""The registry of output terms, which compare the student's logits with labels or the teacher's; one file each.

An output term returns one value for each of its positions. The objective sums these values over the whole batch and
divides once. A term is a class with one instance for each training run::

    @output_term("mine")
    class Mine(OutputTerm):
        def forward(self, states: Tensor, batch: Batch) -> Tensor: ...
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from semalign.models.architecture import Architecture
from semalign.registry import Registry
from semalign.settings import TransferSettings
from semalign.targets.supervision import Batch, TeacherHead


class OutputTerm(nn.Module, ABC):
    """A term on the student's logits.

    Args:
        student: the adapted student.
        settings: settings of the transfer.
        teacher_head: the teacher's LM head; None unless ``needs_teacher``.

    Attributes:
        needs_teacher: whether the term uses the teacher's logits, as :func:`output_term` says. If so, its positions
            are those where the teacher has read the same text (``batch.matched``), otherwise all positions with a label
            (``batch.labelled``).
    """

    needs_teacher: ClassVar[bool] = False

    def __init__(self, student: Architecture, settings: TransferSettings, teacher_head: TeacherHead | None) -> None:
        super().__init__()
        self.student, self.settings, self.teacher_head = student, settings, teacher_head

    @classmethod
    def check(cls, student: Architecture) -> None:
        """Raise ``ValueError`` if the term cannot be used with this student; called before any long work."""

    @abstractmethod
    def forward(self, states: Float[Tensor, "n d"], batch: Batch) -> Float[Tensor, " n"]:
        """Return the value at every position of the term.

        Args:
            states: the student's states after the final norm at the term's positions, with gradients, at least in
                float32. Logits that are computed from them have their type.
            batch: the batch, with labels and the teacher's final states at the matched positions.
        """


OUTPUT_TERMS: Registry[type[OutputTerm]] = Registry("output term", __name__)
"""All output terms by name, the value of the setting ``output_loss``."""
Term = TypeVar("Term", bound=OutputTerm)


def output_term(name: str, *, needs_teacher: bool = False) -> Callable[[type[Term]], type[Term]]:
    """Return the decorator that registers an output term.

    Args:
        name: name of the term.
        needs_teacher: whether it uses the teacher's logits, and no labels (:class:`OutputTerm`).

    Raises:
        ValueError: for a class that needs the teacher by itself, by its base or under another name, and is not
            registered so here, or the other way round.
    """

    def add(term: type[Term]) -> type[Term]:
        if term.needs_teacher and not needs_teacher:
            raise ValueError(f"output term {name!r} needs the teacher: register it with needs_teacher=True")
        if vars(term).get("needs_teacher", needs_teacher) != needs_teacher:
            raise ValueError(f"output term {name!r}: its class is known as one that needs no teacher")
        term.needs_teacher = needs_teacher
        return OUTPUT_TERMS.register(name)(term)  # type: ignore[return-value]

    return add
