"""Layer pairing (Section 4.1): which teacher layer supervises which student layer. Layer numbers start at 1."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


def teacher_layer(k: int, n_teacher: int, n_student: int) -> int:
    """Return the teacher layer paired with student layer ``k``: ``max(1, floor(L_T / L_S * k))``.

    Args:
        k: student layer, in 1..L_S.
        n_teacher: number of teacher layers, L_T.
        n_student: number of student layers, L_S.

    Raises:
        ValueError: if ``k`` is outside 1..L_S or a layer count is below 1.
    """
    _check(k, n_student, "student")
    _check_counts(n_teacher, n_student)
    return max(1, n_teacher * k // n_student)


def student_layer(critical: int, n_teacher: int, n_student: int) -> int:
    """Return k†, the shallowest student layer whose teacher layer is at least as deep as the critical one.

    ``k† = min{k : teacher_layer(k) >= critical}``, or L_S if there is no such k. The layer pair is then
    ``(teacher_layer(k†), k†)``.

    Raises:
        ValueError: if ``critical`` is outside 1..L_T or a layer count is below 1.
    """
    return LayerMap(n_teacher, n_student).pair(critical)[1]


def interpolation(k: int, n_teacher: int, n_student: int) -> tuple[int, int, float]:
    """Return ``(a, b, lam)`` so that ``(1 - lam) * h_a + lam * h_b`` is the teacher state at the depth of layer ``k``.

    With ``u = L_T * k / L_S``: ``a = max(1, min(floor(u), L_T - 1))``, ``b = a + 1``, ``lam = clip(u - a, 0, 1)``.

    Raises:
        ValueError: if ``k`` is outside 1..L_S, or the teacher has only one layer.
    """
    _check(k, n_student, "student")
    _check_counts(n_teacher, n_student)
    if n_teacher < 2:
        raise ValueError("interpolation needs a teacher of at least two layers")
    a = max(1, min(n_teacher * k // n_student, n_teacher - 1))
    lam = (n_teacher * k - a * n_student) / n_student  # u - a, exact in integers before the division
    return a, a + 1, min(max(lam, 0.0), 1.0)


def _check(k: int, n_layers: int, model: str) -> None:
    if not 1 <= k <= n_layers:
        raise ValueError(f"{model} layer {k} does not exist: layers are 1..{n_layers}")


def _check_counts(n_teacher: int, n_student: int) -> None:
    if min(n_teacher, n_student) < 1:
        raise ValueError(f"layer counts must be positive, got teacher {n_teacher}, student {n_student}")


@dataclass(frozen=True)
class LayerMap:
    """The depth-aware layer map of a teacher and a student, which can be printed and overridden.

    >>> print(LayerMap(5, 4))
    student  teacher  interpolated
          1        1  0.75·h1 + 0.25·h2
          2        2  0.50·h2 + 0.50·h3
          3        3  0.25·h3 + 0.75·h4
          4        5  0.00·h4 + 1.00·h5
    >>> LayerMap(5, 4, {2: 3})[2]
    3

    Attributes:
        n_teacher: number of teacher layers, L_T.
        n_student: number of student layers, L_S.
        override: teacher layer by student layer, where it replaces the formula.
    """

    n_teacher: int
    n_student: int
    override: Mapping[int, int] | None = None

    def __post_init__(self) -> None:
        _check_counts(self.n_teacher, self.n_student)
        for k, layer in (self.override or {}).items():
            _check(k, self.n_student, "student")
            _check(layer, self.n_teacher, "teacher")

    def __getitem__(self, k: int) -> int:
        """Return the teacher layer of student layer ``k``."""
        return (self.override or {}).get(k, teacher_layer(k, self.n_teacher, self.n_student))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield pairs (student layer, teacher layer), shallow to deep."""
        return ((k, self[k]) for k in range(1, self.n_student + 1))

    def pair(self, critical: int) -> tuple[int, int]:
        """Return the pair ``(teacher layer, k†)`` of a critical teacher layer on this map, overrides included."""
        _check(critical, self.n_teacher, "teacher")
        k = next((k for k, layer in self if layer >= critical), self.n_student)
        return self[k], k

    def __str__(self) -> str:
        """Return the map as a text table."""
        lines = ["student  teacher  interpolated"]
        for k, layer in self:
            lines.append(f"{k:7d}  {layer:7d}  {self._mixture(k)}")
        return "\n".join(lines)

    def _mixture(self, k: int) -> str:
        if self.n_teacher < 2:
            return "-"
        a, b, lam = interpolation(k, self.n_teacher, self.n_student)
        return f"{1 - lam:.2f}·h{a} + {lam:.2f}·h{b}"
