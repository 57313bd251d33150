"""Texts that mention a test item are recognised, others are left alone."""

import pytest
from helpers.data import HUMANEVAL

from semalign.data import tasks
from semalign.data.contamination import ContaminationFilter, question_key

ITEMS = [
    {"entry_point": "sort", "prompt": 'def sort(x):\n    """Sort."""\n'},
    {
        "entry_point": "sort_by_sum",
        "prompt": 'def sort_by_sum(x):\n    """Put numbers in the order of their digits\' sum.\n    >>> 1"""\n',
    },
]


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("sort (x)", True),
        ("Sort the list.", False),
        ("items.sort()", False),
        ("What is sort_by_sum?", True),
        ("resort(x)", False),
        ("PUT numbers  in the order\nof their digits' sum.", True),
        ("Put numbers in order.", False),
    ],
)
def test_a_name_that_is_called_or_a_description_gives_an_item_away(text, mentions):
    assert ContaminationFilter.of(ITEMS).mentions_test_item(text) is mentions


def test_items_without_the_columns_are_refused():
    with pytest.raises(ValueError, match="row 1: no column 'entry_point'"):
        ContaminationFilter.of([{"prompt": HUMANEVAL["prompt"]}])


def test_questions_are_the_same_in_any_order_of_choices():
    item = {"question": "Which  one?", "choices": ["A", "b"]}
    assert question_key(item) == question_key({"question": "which one?", "choices": ["B", "a"]})
    assert question_key(item) != question_key({"question": "which one?", "choices": ["B", "c"]})


@pytest.mark.needs_published("openai/openai_humaneval/test")
def test_every_published_humaneval_item_is_recognised():
    documents = tasks.documents("humaneval", "test")
    test = ContaminationFilter.of(documents)
    assert all(test.mentions_test_item(document["prompt"]) for document in documents)
    assert not test.mentions_test_item("Write a function to find the largest number in a list.\n\nmax(numbers)")
