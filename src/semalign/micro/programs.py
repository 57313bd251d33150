"""Small pure functions of lists, integers and words, which micro-HumanEval and micro-MBPP ask for.

A function is a choice of parts (for example: keep the even numbers, multiply each by 3, add up). Its parts determine
its code, its description in the benchmarks' wording and a description in another wording.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Part(NamedTuple):
    """One choice for a slot: name, wording in the benchmarks, other wording, and code."""

    name: str
    plain: str
    retold: str
    code: str


class Function(NamedTuple):
    """One member of the family: a domain (``list``, ``int`` or ``words``) and one part for each slot."""

    domain: str
    parts: tuple[Part, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The identity of the function within the family."""
        return (self.domain, *(f"{part.name}|{part.code}" for part in self.parts))

    @property
    def name(self) -> str:
        """The function's name in the benchmarks."""
        words = dict.fromkeys(part.name for part in reversed(self.parts) if part.name)
        return "_".join(words)

    @property
    def parameters(self) -> str:
        """The function's parameters in the benchmarks."""
        return {"list": "numbers", "int": "a, b", "words": "text"}[self.domain]

    @property
    def description(self) -> str:
        """The description in the benchmarks' wording, without a verb or full stop."""
        if self.domain == "int":
            return "".join(part.plain for part in self.parts)
        which, change, result = self.parts
        things = "numbers" if self.domain == "list" else "words"
        return result.plain.format(f"the {which.plain.format(things)}{change.plain}")

    @property
    def retelling(self) -> str:
        """The description in the other wording: the operations in order."""
        return "; ".join(part.retold for part in self.parts if part.retold)

    def expression(self, *arguments: str) -> str:
        """Return the function's value as a Python expression of the named arguments."""
        if self.domain == "int":
            code = self.parts[0].code.format(*arguments)
            for part in self.parts[1:]:
                code = part.code.format(f"({code})" if _needs_brackets(code, part) else code)
            return code
        which, change, result = self.parts
        variable = "x" if self.domain == "list" else "w"
        items = arguments[0] if self.domain == "list" else f"{arguments[0]}.split()"
        condition = f" if {which.code}" if which.code else ""
        return result.code.format(f"[{change.code} for {variable} in {items}{condition}]")

    @property
    def body(self) -> str:
        """The canonical solution below the signature."""
        return f"    return {self.expression(*self.parameters.split(', '))}\n"

    @property
    def source(self) -> str:
        """The source of the whole function, as in the benchmarks."""
        return f"def {self.name}({self.parameters}):\n{self.body}"


def _needs_brackets(code: str, part: Part) -> bool:
    """Return whether ``code`` needs brackets before the operation of ``part`` is applied to it."""
    return part.name in {"times", "mod"} and any(sign in code for sign in (" + ", " - ", " * "))\
        and not (code.endswith(")") and code.startswith(("max", "min", "abs")))  # fmt: skip


def _parametrised(name: str, plain: str, retold: str, code: str, values: Iterable[object]) -> list[Part]:
    """Return one part for each value, which replaces ``#``."""
    return [Part(name, *(text.replace("#", str(value)) for text in (plain, retold, code))) for value in values]


_OR_ZERO = "{}, or 0 if there are none"
LIST_SLOTS: tuple[list[Part], ...] = (
    [
        Part("", "{}", "", ""),
        Part("even", "even {}", "keep evens", "x % 2 == 0"),
        Part("odd", "odd {}", "keep odds", "x % 2 == 1"),
        *_parametrised("above", "{} greater than #", "keep those over #", "x > #", range(0, 10)),
        *_parametrised("below", "{} less than #", "keep those under #", "x < #", range(0, 10)),
        *_parametrised("divisible", "{} divisible by #", "keep multiples of #", "x % # == 0", range(3, 6)),
    ],
    [
        Part("", "", "", "x"),
        Part("squared", ", each squared", "square all", "x * x"),
        Part("negated", ", each negated", "flip signs", "-x"),
        *_parametrised("times", ", each multiplied by #", "scale all by #", "x * #", range(2, 10)),
        *_parametrised("plus", ", each increased by #", "shift all up by #", "x + #", range(1, 10)),
        *_parametrised("minus", ", each decreased by #", "shift all down by #", "x - #", range(1, 10)),
    ],
    [
        Part("items", "a list of {}", "give all", "{}"),
        Part("total", "the sum of {}", "add up", "sum({})"),
        Part("largest", f"the largest of {_OR_ZERO}", "pick the top one", "max({}, default=0)"),
        Part("smallest", f"the smallest of {_OR_ZERO}", "pick the bottom one", "min({}, default=0)"),
        Part("count", "the number of {}", "tell how many", "len({})"),
        Part("turned", "a list of {} in reverse order", "turn around", "{}[::-1]"),
        Part("ordered", "a list of {} in ascending order", "order going up", "sorted({})"),
        Part("descending", "a list of {} in descending order", "order going down", "sorted({}, reverse=True)"),
    ],
)

_CHANGES = [
    *_parametrised("times", ", times #", "scale by #", "{} * #", range(2, 10)),
    *_parametrised("plus", ", plus #", "shift up by #", "{} + #", range(1, 10)),
    *_parametrised("minus", ", minus #", "shift down by #", "{} - #", range(1, 10)),
    *_parametrised("mod", ", modulo #", "rest by #", "{} % #", range(3, 8)),
]
INT_SLOTS: tuple[list[Part], ...] = (
    [
        Part("sum", "the sum of a and b", "add both", "{} + {}"),
        Part("difference", "the difference of a and b", "second off first", "{} - {}"),
        Part("product", "the product of a and b", "multiply both", "{} * {}"),
        Part("larger", "the larger of a and b", "pick the big one", "max({}, {})"),
        Part("smaller", "the smaller of a and b", "pick the small one", "min({}, {})"),
        Part("distance", "the distance of a and b", "gap of both", "abs({} - {})"),
    ],
    _CHANGES,
    [Part("", "", "", "{}"), *_CHANGES],
)

WORD_SLOTS: tuple[list[Part], ...] = (
    [
        Part("", "{}", "", ""),
        *_parametrised("longer", "{} longer than #", "keep sizes over #", "len(w) > #", range(2, 6)),
        *_parametrised("shorter", "{} shorter than #", "keep sizes under #", "len(w) < #", range(3, 7)),
        *_parametrised("starting", "{} starting with #", "keep first letter #", "w[0] == '#'", "aeost"),
        *_parametrised("ending", "{} ending with #", "keep last letter #", "w[-1] == '#'", "adnet"),
        *_parametrised("with", "{} with #", "keep any letter #", "'#' in w", "aeost"),
        *_parametrised("without", "{} without #", "drop any letter #", "'#' not in w", "aeost"),
    ],
    [
        Part("", "", "", "w"),
        Part("upper", ", each in upper case", "make big letters", "w.upper()"),
        Part("backward", ", each spelled backward", "flip letters", "w[::-1]"),
        Part("first", ", each cut to its first letter", "take heads", "w[0]"),
        Part("last", ", each cut to its last letter", "take tails", "w[-1]"),
        Part("tail", ", each without its first letter", "drop heads", "w[1:]"),
        Part("doubled", ", each doubled", "say all twice", "w * 2"),
    ],
    [
        Part("items", "a list of {}", "give all", "{}"),
        Part("count", "the number of {}", "tell how many", "len({})"),
        Part("joined", "{} joined by spaces", "glue with blanks", "' '.join({})"),
        Part("dashed", "{} joined by dashes", "glue with dashes", "'-'.join({})"),
        Part("glued", "{} joined together", "glue", "''.join({})"),
        Part("turned", "a list of {} in reverse order", "turn around", "{}[::-1]"),
        Part("ordered", "a list of {} in ascending order", "order going up", "sorted({})"),
    ],
)

SLOTS = {"list": LIST_SLOTS, "int": INT_SLOTS, "words": WORD_SLOTS}
