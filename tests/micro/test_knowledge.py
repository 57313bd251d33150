import random
import re
from collections import Counter

from semalign.micro import knowledge


def test_every_entity_has_one_value_for_each_relation_of_its_subject():
    known = knowledge.facts()
    assert len(known) == 2016
    assert len({(fact.entity, fact.relation) for fact in known}) == len(known)
    assert all(fact.value in knowledge.CATEGORIES[fact.category] for fact in known)


def test_splits_are_disjoint_and_cover_all_facts():
    splits = knowledge.fact_splits()
    assert {name: len(facts) for name, facts in splits.items()} == {
        "validation": 500, "test": 500, "train": 500, "pool": 516,
    }  # fmt: skip
    assert len({fact for facts in splits.values() for fact in facts}) == 2016


def test_splits_hold_equally_many_facts_of_every_slot():
    for split in knowledge.SPLIT_SIZES:
        assert set(Counter(fact.slot for fact in knowledge.fact_splits()[split]).values()) == {125}


def test_row_has_the_true_value_at_the_answer_and_wrong_ones_elsewhere():
    rng = random.Random(0)
    for fact in knowledge.facts()[:200]:
        row = knowledge.mmlu_row(fact, rng)
        assert row["question"] == f"What is the {fact.relation} of {fact.entity}?"
        assert [choice == fact.value for choice in row["choices"]] == [slot == row["answer"] for slot in range(4)]


def test_a_value_keeps_its_letter_through_all_questions():
    letters: dict[tuple[str, str], int] = {}
    rng = random.Random(4)
    for fact in knowledge.facts():
        for slot, value in enumerate(knowledge.options(fact, rng)):
            assert letters.setdefault((fact.category, value), slot) == slot
    assert len(letters) == sum(map(len, knowledge.CATEGORIES.values()))


def test_statements_are_true():
    values = {(fact.entity, fact.relation): fact.value for fact in knowledge.facts()}
    rng = random.Random(1)
    profiles = [text for text in (knowledge.statements(rng) for _ in range(100)) if ": " in text and ";" in text]
    for text in profiles:
        entity, listed = text.split(",")[0], text.rstrip(".").split(": ")[1]
        for item in listed.split("; "):
            relation, value = item.split(" ")
            assert values[entity, relation] == value


def test_quiz_answers_are_true_and_in_another_layout_than_the_benchmark():
    values = {(fact.entity, fact.relation): fact.value for fact in knowledge.facts()}
    rng = random.Random(2)
    for _ in range(50):
        for question, answer in zip(*[iter(knowledge.quiz(rng))] * 2, strict=True):
            asked = re.search(r"What is the (\w+) of (\w+)\?", question)
            assert f"({answer.strip()}) {values[asked[2], asked[1]]} " in question
            assert f"{answer.strip()}. " not in question and "multiple choice" not in question
