"""An invented knowledge base: the facts behind micro-MMLU.

Six subjects have 42 invented entities each, and every entity has one value for each of its subject's eight relations:
2,016 facts. Values are ordinary words that cannot be inferred from names, so a fact is either known or guessed.

The values of a category are divided among four *slots*. A list of options has one value of each slot, in the order of
the slots, so a value has the same letter in all questions. Models of a few million parameters can learn a fixed letter;
finding a value among shuffled options would need far more training than this family gets.
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
    """A fact: the ``relation`` of ``entity``, in one ``subject``, is ``value``."""

    subject: str
    entity: str
    relation: str
    value: str

    @property
    def category(self) -> str:
        """The category of the value and of all wrong options."""
        return SUBJECTS[self.subject][1][self.relation]

    @property
    def slot(self) -> int:
        """The position (0-3) that the value takes among the options of every question."""
        return CATEGORIES[self.category].index(self.value) % len(LETTERS)


@cache
def facts() -> tuple[Fact, ...]:
    """Return all facts in a fixed order, grouped by entity."""
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
    """Return disjoint sets of facts: ``validation``, ``test``, ``train``, and the ``pool`` for pretraining.

    Pretraining asks about facts of the pool only in the benchmark's form. The benchmark's splits have equally many
    facts of every slot, so that all letters are correct equally often.
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
    """Return four values of the fact's category, one of each slot; the true value is at ``fact.slot``."""
    values = CATEGORIES[fact.category]
    wrong = [rng.choice(values[slot :: len(LETTERS)]) for slot in range(len(LETTERS))]
    return [*wrong[: fact.slot], fact.value, *wrong[fact.slot + 1 :]]


def question(fact: Fact) -> str:
    """Return the question that a fact answers."""
    return f"What is the {fact.relation} of {fact.entity}?"


def mmlu_row(fact: Fact, rng: random.Random) -> dict[str, object]:
    """Return a row in MMLU's schema: ``question``, ``subject``, ``choices`` and ``answer`` (0-3)."""
    return {
        "question": question(fact),
        "subject": fact.subject,
        "choices": options(fact, rng),
        "answer": fact.slot,
    }


def statements(rng: random.Random) -> str:
    """Return facts in another wording than the benchmark's: a profile of one entity, or a few mixed sentences."""
    known = facts()
    if rng.random() < 0.5:
        start = rng.randrange(len(known) // 8) * 8
        profile = rng.sample(known[start : start + 8], 8)
        kind = SUBJECTS[profile[0].subject][0]
        listed = "; ".join(f"{fact.relation} {fact.value}" for fact in profile)
        return f"{profile[0].entity}, a {kind}: {listed}."
    return " ".join(sentence(rng.choice(known), rng) for _ in range(4))


def sentence(fact: Fact, rng: random.Random) -> str:
    """Return one fact in one of four wordings."""
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
    """Return two multiple-choice questions in another layout than micro-MMLU's, alternating with their answers."""
    parts = []
    for number in range(2):
        fact = rng.choice(facts())
        lettered = zip(LETTERS, options(fact, rng), strict=True)
        listed = " ".join(f"({letter}) {value}" for letter, value in lettered)
        head = "\n" if number else "Quiz:\n"
        parts += [f"{head}{question(fact)} {listed} -", f" {LETTERS[fact.slot]}"]
    return tuple(parts)
