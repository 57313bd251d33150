import random

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


def test_row_has_the_true_value_at_the_answer_and_wrong_ones_elsewhere():
    fact = knowledge.facts()[0]
    row = knowledge.mmlu_row(fact, 2, random.Random(0))
    assert row["question"] == f"What is the {fact.relation} of {fact.entity}?"
    assert len(set(row["choices"])) == 4
    assert [choice == fact.value for choice in row["choices"]] == [False, False, True, False]


def test_statements_are_true():
    values = {(fact.entity, fact.relation): fact.value for fact in knowledge.facts()}
    rng = random.Random(1)
    profiles = [text for text in (knowledge.statements(rng) for _ in range(100)) if ": " in text and ";" in text]
    for text in profiles:
        entity, listed = text.split(",")[0], text.rstrip(".").split(": ")[1]
        for item in listed.split("; "):
            relation, value = item.split(" ")
            assert values[entity, relation] == value


def test_quiz_asks_about_pool_facts_only():
    allowed = {f"{fact.entity}, {fact.relation}: " for fact in knowledge.fact_splits()["pool"]}
    rng = random.Random(2)
    for _ in range(50):
        lines = "".join(knowledge.quiz(rng)).split("\n")[1:]
        assert all(any(line.startswith(head) for head in allowed) for line in lines)


def test_told_quiz_names_the_value_that_its_letter_points_at():
    for question, answer in zip(*[iter(knowledge.quiz(random.Random(3), told=True))] * 2, strict=True):
        told = question.split(":")[-2].split(" ")[-1]
        assert f"({answer.strip()}) {told}" in question
