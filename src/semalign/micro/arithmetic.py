"""Word problems of one to four steps: the questions behind micro-GSM8K.

A problem is a chain of a start (an initial number of things), events that change this number, and a question. Each part
has two wordings, the benchmark's (``plain``) and another one (``retold``), and the worked steps have two layouts.
"""

import random
from typing import NamedTuple

MAX_STEPS = 4
MAX_VALUE = 99  # before the last step, so that a small model can compute every step

NAMES = "Ana Ben Mia Tom Eva Max Lea Sam Ida Leo Zoe Jan Kim Ray".split()
OBJECTS = "apples shells cards coins books pens stamps marbles cakes eggs roses bags hats cups".split()


class Step(NamedTuple):
    """One operation, ``left operator right = result``."""

    left: int
    operator: str
    right: int
    result: int


class Problem(NamedTuple):
    """The two wordings of a question, its steps and the unit of the answer."""

    plain: str
    retold: str
    steps: tuple[Step, ...]
    unit: str

    @property
    def answer(self) -> int:
        """The result of the last step."""
        return self.steps[-1].result


class _Chain:
    """A problem under construction: sentences in both wordings, steps, and the current number of things."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.name, self.friend = rng.sample(NAMES, 2)
        self.unit = rng.choice(OBJECTS)
        self.plain: list[str] = []
        self.retold: list[str] = []
        self.steps: list[Step] = []
        self.value = 0

    def say(self, plain: str, retold: str) -> None:
        self.plain.append(plain)
        self.retold.append(retold)

    def step(self, left: int, operator: str, right: int) -> None:
        results = {"+": left + right, "-": left - right, "*": left * right, "/": left // right}
        self.value = results[operator]
        self.steps.append(Step(left, operator, right, self.value))


def _start_owned(chain: _Chain) -> None:
    chain.value = chain.rng.randint(5, 50)
    chain.say(f"{chain.name} has {chain.value} {chain.unit}.",
              f"At first: {chain.value} {chain.unit}, owner {chain.name}.")  # fmt: skip


def _start_two_kinds(chain: _Chain) -> None:
    a, b = chain.rng.randint(3, 40), chain.rng.randint(3, 40)
    chain.say(f"{chain.name} has {a} red {chain.unit} and {b} blue {chain.unit}.",
              f"{chain.unit.capitalize()} of {chain.name}: red {a}, blue {b}.")  # fmt: skip
    chain.step(a, "+", b)


def _start_boxes(chain: _Chain) -> None:
    a, b = chain.rng.randint(2, 9), chain.rng.randint(2, 10)
    chain.say(f"{chain.name} has {a} boxes with {b} {chain.unit} in each.",
              f"Boxes of {chain.name}: {a}, and {chain.unit} per box: {b}.")  # fmt: skip
    chain.step(a, "*", b)


def _start_compared(chain: _Chain) -> None:
    a, b = chain.rng.randint(10, 40), chain.rng.randint(2, 9)
    word, operator = chain.rng.choice((("more", "+"), ("fewer", "-")))
    chain.say(
        f"{chain.friend} has {a} {chain.unit} and {chain.name} has {b} {word} than {chain.friend}.",
        f"{chain.unit.capitalize()} of {chain.friend}: {a}. {chain.name} owns that with {b} {word}.",
    )
    chain.step(a, operator, b)


def _start_multiple(chain: _Chain) -> None:
    a, b = chain.rng.randint(3, 20), chain.rng.randint(2, 4)
    chain.say(
        f"{chain.friend} has {a} {chain.unit} and {chain.name} has {b} times as many.",
        f"{chain.unit.capitalize()} of {chain.friend}: {a}. {chain.name} owns that {b} times.",
    )
    chain.step(a, "*", b)


def _gain(chain: _Chain) -> None:
    a = chain.rng.randint(2, 30)
    chain.say(f"{chain.name} gets {a} more from {chain.friend}.", f"Next comes a present of {a}.")
    chain.step(chain.value, "+", a)


def _lose(chain: _Chain) -> None:
    a = chain.rng.randint(1, max(1, min(30, chain.value - 2)))
    chain.say(f"{chain.name} gives {a} away.", f"Next there is a loss of {a}.")
    chain.step(chain.value, "-", a)


def _gain_boxes(chain: _Chain) -> None:
    before, a, b = chain.value, chain.rng.randint(2, 5), chain.rng.randint(2, 9)
    chain.say(f"{chain.name} buys {a} packs of {b}.", f"Next come {a} bundles, {b} per bundle.")
    chain.step(a, "*", b)
    chain.step(before, "+", chain.value)


def _ask_left(chain: _Chain) -> None:
    chain.say(
        f"How many {chain.unit} does {chain.name} have now?",
        f"Count the {chain.unit} of {chain.name}.",
    )


def _ask_price(chain: _Chain) -> None:
    a = chain.rng.randint(2, 5)
    chain.say(f"{chain.name} sells them for {a} dollars each. How many dollars does {chain.name} get?",
              f"Price of one: {a}. Count the dollars for all.")  # fmt: skip
    chain.unit = "dollars"
    chain.step(chain.value, "*", a)


def _ask_share(chain: _Chain) -> None:
    divisors = [k for k in range(2, 10) if chain.value % k == 0 and chain.value > k]
    if not divisors:
        return _ask_left(chain)
    a = chain.rng.choice(divisors)
    chain.say(f"{chain.name} shares them among {a} friends. How many {chain.unit} does each friend get?",
              f"Friends with equal parts: {a}. Count the {chain.unit} in one part.")  # fmt: skip
    chain.step(chain.value, "/", a)


_STARTS = (_start_owned, _start_two_kinds, _start_boxes, _start_compared, _start_multiple)
_EVENTS = (_gain, _lose, _gain_boxes)
_QUESTIONS = (_ask_left, _ask_left, _ask_price, _ask_share)


def problem(rng: random.Random) -> Problem:
    """Draw a problem of one to four steps, whose results are at most ``MAX_VALUE`` before the last step."""
    while True:
        chain = _Chain(rng)
        rng.choice(_STARTS)(chain)
        for _ in range(rng.randint(0, 2)):
            rng.choice(_EVENTS)(chain)
        rng.choice(_QUESTIONS)(chain)
        small = all(0 < step.result <= MAX_VALUE for step in chain.steps[:-1])
        if 1 <= len(chain.steps) <= MAX_STEPS and small and chain.value > 0:
            return Problem(" ".join(chain.plain), " ".join(chain.retold), tuple(chain.steps), chain.unit)


def gsm8k_row(item: Problem) -> dict[str, object]:
    """Return a row in GSM8K's schema: ``question`` and the worked ``answer`` that ends in ``#### N``."""
    lines = [f"{s.left}{s.operator}{s.right}={s.result}" for s in item.steps]
    lines[-1] += f" {item.unit}"
    return {"question": item.plain, "answer": "\n".join([*lines, f"#### {item.answer}"])}


_WORDS = {"+": "and", "-": "less", "*": "by", "/": "over"}


def retelling(rng: random.Random) -> tuple[str, str]:
    """Return a new problem in the other wording, and its steps in the other layout."""
    item = problem(rng)
    worked = ", ".join(f"{s.left} {_WORDS[s.operator]} {s.right} is {s.result}" for s in item.steps)
    return f"Puzzle. {item.retold}\nWork:", f" {worked}. Result: {item.answer} {item.unit}."
