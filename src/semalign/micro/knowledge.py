"""An invented knowledge base: the facts behind micro-MMLU.

Six subjects hold 42 invented entities each, and every entity has one value for each of its subject's eight
relations: 2,016 facts. Values are ordinary words that no name betrays, so a fact is either known or guessed.
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
    "colour": "red blue green white black grey brown pink gold violet".split(),
    "metal": "iron copper silver tin lead zinc bronze steel brass nickel".split(),
    "food": "bread honey rice fish cheese beans plums figs soup nuts".split(),
    "craft": "weaving baking mining sailing farming hunting fishing carving dyeing milling".split(),
    "tree": "oak elm pine birch cedar willow maple ash palm larch".split(),
    "animal": "wolf bear hawk crow deer goat horse snake toad hare".split(),
    "month": "January February March April May June July August October November".split(),
    "gem": "ruby opal jade amber pearl topaz garnet onyx agate quartz".split(),
    "sound": "drum flute harp horn bell fiddle pipe gong lute whistle".split(),
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
    """Disjoint facts: ``validation``, ``test``, ``train``, and the ``pool`` for pretraining's questions."""
    shuffled = list(facts())
    random.Random(SEED + 1).shuffle(shuffled)
    splits, start = {}, 0
    for name, size in SPLIT_SIZES.items():
        splits[name] = tuple(shuffled[start : start + size])
        start += size
    return {**splits, "pool": tuple(shuffled[start:])}


def options(fact: Fact, answer: int, rng: random.Random) -> list[str]:
    """Four values of the fact's category, with the true one at position ``answer``."""
    wrong = [value for value in CATEGORIES[fact.category] if value != fact.value]
    chosen = rng.sample(wrong, len(LETTERS) - 1)
    return [*chosen[:answer], fact.value, *chosen[answer:]]


def mmlu_row(fact: Fact, answer: int, rng: random.Random) -> dict[str, object]:
    """A row in MMLU's schema: ``question``, ``subject``, ``choices`` and ``answer`` (0-3)."""
    return {
        "question": f"What is the {fact.relation} of {fact.entity}?",
        "subject": fact.subject,
        "choices": options(fact, answer, rng),
        "answer": answer,
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
            f"{relation.capitalize()} for {entity}? It is {value}.",
        )
    )


def quiz(rng: random.Random, *, told: bool = False) -> tuple[str, ...]:
    """Two multiple-choice questions about pool facts in another layout than micro-MMLU's.

    Questions and answers alternate. With ``told``, each question names its answer's value, so that only the letter
    has to be found.
    """
    parts = []
    for number in range(2):
        fact, answer = rng.choice(fact_splits()["pool"]), rng.randrange(len(LETTERS))
        letters = LETTERS.lower()
        lettered = zip(letters, options(fact, answer, rng), strict=True)
        listed = " ".join(f"({letter}) {value}" for letter, value in lettered)
        head = "\n" if number else "Quiz:\n"
        value = f" {fact.value}" if told else ""
        parts += [f"{head}{fact.entity}, {fact.relation}{value}: {listed} -", f" {letters[answer]}"]
    return tuple(parts)
