"""An invented knowledge base: the facts behind micro-MMLU.

Six subjects hold 42 invented entities each, and every entity has one value for each of its subject's eight
relations: 2,016 facts. Values are ordinary words that no name betrays, so a fact is either known or guessed.

The values of a category share out four *slots*, and a list of options holds one value of each slot, in the slots'
order: a value keeps its letter through all questions. Models of a few million parameters learn a fixed letter, where
finding a value among shuffled options needs far more training than this family gets.
"""

import random
from functools import cache
from typing import NamedTuple

SEED = 2016
ENTITIES_PER_SUBJECT = 42
SPLIT_SIZES = {"validation": 500, "test": 500, "train": 500}  # the other facts form the pretraining pool
LETTERS = "ABCD"

SYLLABLES = (
    "vel mor tan rik zul kem dra pos nim gar lok fen sha bru cal wex yor hul jas qui tol ber ash ond pel vin"
).split()

CATEGORIES = {
    "colour": "red blue green white black grey brown pink".split(),
    "metal": "iron copper silver tin lead zinc bronze steel".split(),
    "food": "bread honey rice fish cheese beans plums figs".split(),
    "craft": "weaving baking mining sailing farming hunting fishing carving".split(),
    "tree": "oak elm pine birch cedar willow maple ash".split(),
    "animal": "wolf bear hawk crow deer goat horse snake".split(),
    "month": "January February March April May June July August".split(),
    "gem": "ruby opal jade amber pearl topaz garnet onyx".split(),
    "sound": "drum flute harp horn bell fiddle pipe gong".split(),
}

# subject -> (kind of entity, {relation: category of its values})
SUBJECTS: dict[str, tuple[str, dict[str, str]]] = {
    "geography": ("town", {"gate": "colour", "coin": "metal", "dish": "food", "trade": "craft",
                           "crest": "animal", "fair": "month", "stone": "gem", "park": "tree"}),
    "zoology": ("beast", {"coat": "colour", "claw": "metal", "diet": "food", "nest": "tree",
                          "rival": "animal", "birth": "month", "eye": "gem", "call": "sound"}),
    "botany": ("herb", {"petal": "colour", "root": "metal", "flavour": "food", "host": "tree",
                        "guest": "animal", "bloom": "month", "seed": "gem", "use": "craft"}),
    "history": ("ruler", {"banner": "colour", "crown": "metal", "feast": "food", "job": "craft",
                          "pet": "animal", "death": "month", "ring": "gem", "signal": "sound"}),
    "music": ("song", {"cover": "colour", "string": "metal", "prize": "food", "origin": "craft",
                       "hero": "animal", "debut": "month", "lead": "sound", "wood": "tree"}),
    "astronomy": ("moon", {"glow": "colour", "core": "metal", "shape": "food", "legend": "craft",
                           "omen": "animal", "eclipse": "month", "crust": "gem", "echo": "sound"}),
}  # fmt: skip


class Fact(NamedTuple):
    """``relation`` of ``entity`` is ``value``, in one ``subject``."""

    subject: str
    entity: str
    relation: str
    value: str

    @property
    def category(self) -> str:
        """The category that the value, and so every wrong option, comes from."""
        return SUBJECTS[self.subject][1][self.relation]

    @property
    def slot(self) -> int:
        """The position (0-3) that the value takes among the options of every question."""
        return CATEGORIES[self.category].index(self.value) % len(LETTERS)


@cache
def facts() -> tuple[Fact, ...]:
    """All facts, in a fixed order, grouped by entity."""
    rng = random.Random(SEED)
    names = [(a + b).capitalize() for a in SYLLABLES for b in SYLLABLES if a != b]
    names = rng.sample(names, ENTITIES_PER_SUBJECT * len(SUBJECTS))
    known = []
    for position, name in enumerate(names):
        subject = list(SUBJECTS)[position // ENTITIES_PER_SUBJECT]
        for relation, category in SUBJECTS[subject][1].items():
            known.append(Fact(subject, name, relation, rng.choice(CATEGORIES[category])))
    return tuple(known)


@cache
def fact_splits() -> dict[str, tuple[Fact, ...]]:
    """Disjoint facts: ``validation``, ``test``, ``train``, and the ``pool`` for the benchmark's form in pretraining.

    The benchmark's splits hold equally many facts of every slot, so that right letters occur equally often.
    """
    shuffled = list(facts())
    random.Random(SEED + 1).shuffle(shuffled)
    by_slot = [[fact for fact in shuffled if fact.slot == slot] for slot in range(len(LETTERS))]
    splits, start = {}, 0
    for name, size in SPLIT_SIZES.items():
        share = size // len(LETTERS)
        splits[name] = tuple(fact for slot in by_slot for fact in slot[start : start + share])
        start += share
    return {**splits, "pool": tuple(fact for slot in by_slot for fact in slot[start:])}


def options(fact: Fact, rng: random.Random) -> list[str]:
    """Four values of the fact's category, one of each slot; the true one stands at ``fact.slot``."""
    values = CATEGORIES[fact.category]
    wrong = [rng.choice(values[slot :: len(LETTERS)]) for slot in range(len(LETTERS))]
    return [*wrong[: fact.slot], fact.value, *wrong[fact.slot + 1 :]]


def question(fact: Fact) -> str:
    """The question that a fact answers."""
    return f"What is the {fact.relation} of {fact.entity}?"


def mmlu_row(fact: Fact, rng: random.Random) -> dict[str, object]:
    """A row in MMLU's schema: ``question``, ``subject``, ``choices`` and ``answer`` (0-3)."""
    return {
        "question": question(fact),
        "subject": fact.subject,
        "choices": options(fact, rng),
        "answer": fact.slot,
    }


def statements(rng: random.Random) -> str:
    """Facts told in other words than the benchmark's: a profile of one entity, or a few mixed sentences."""
    known = facts()
    if rng.random() < 0.5:
        start = rng.randrange(len(known) // 8) * 8
        profile = rng.sample(known[start : start + 8], 8)
        kind = SUBJECTS[profile[0].subject][0]
        listed = "; ".join(f"{fact.relation} {fact.value}" for fact in profile)
        return f"{profile[0].entity}, a {kind}: {listed}."
    return " ".join(sentence(rng.choice(known), rng) for _ in range(4))


def sentence(fact: Fact, rng: random.Random) -> str:
    """One fact in one of four wordings."""
    subject, entity, relation, value = fact
    return rng.choice(
        (
            f"{entity} has the {relation} {value}.",
            f"The {relation} of {entity} is {value}.",
            f"In {subject}, {value} is the {relation} of {entity}.",
            f"{question(fact)} It is {value}.",
        )
    )


def quiz(rng: random.Random) -> tuple[str, ...]:
    """Two multiple-choice questions in another layout than micro-MMLU's; questions and answers alternate."""
    parts = []
    for number in range(2):
        fact = rng.choice(facts())
        lettered = zip(LETTERS, options(fact, rng), strict=True)
        listed = " ".join(f"({letter}) {value}" for letter, value in lettered)
        head = "\n" if number else "Quiz:\n"
        parts += [f"{head}{question(fact)} {listed} -", f" {LETTERS[fact.slot]}"]
    return tuple(parts)
