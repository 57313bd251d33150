"""Templates of task files: what they read, what they print, and what the sandbox does not let them do."""

import math

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from semalign.data.task_templates import (
    check_template,
    choices_field,
    elements,
    is_template,
    target_field,
    text_field,
    variables,
)


def test_a_field_is_a_template_a_column_a_function_or_constant():
    row = {"a": "x", "b": [1, 2]}
    assert text_field("{{a}}:{{b[1]}}\n")(row) == "x:2\n"
    assert text_field("a")(row) == "x"
    assert text_field("Answer:")(row) == "Answer:"
    assert text_field(None)(row) == ""
    assert text_field(lambda given: given["b"])(row) == [1, 2]
    assert text_field("{{a | regex_replace('x', 'y')}}")(row) == "y"  # lm-eval's own filter


def test_variables_are_those_that_every_row_needs():
    assert variables("{{question}}\n{{choices[0]}}{% for each in more %}{{each}}{% endfor %}") == {
        "question",
        "choices",
        "more",
    }
    assert variables("{{answer if answer is defined else target}} {{note | default('')}}") == set()
    assert variables("{% if given %}{{given}}{% endif %}{{range(3)}}{{text | replace('a', 'b')}}") == {"text"}


def test_elements_are_those_read_by_a_number():
    assert elements("{{choices[0]}} {{ choices[3] }} {{row['a']}} {{x[i]}} [2]") == {
        ("choices", 0),
        ("choices", 3),
        ("row", "a"),
    }


@pytest.mark.parametrize(
    ("template", "row", "error"),
    [
        ("{{answer}}", {"solution": "x"}, UndefinedError),
        ("{{choices[3]}}", {"choices": ["a", "b", "c"]}, UndefinedError),
        ("{{a.b}}", {"a": {}}, UndefinedError),
        ("{{a}}", {"a": None}, ValueError),
        ("{{a[0]}}", {"a": [None]}, ValueError),
        ("{{a}}", {"a": math.nan}, ValueError),
        ("{{a.split(':')[0]}}", {"a": 3}, UndefinedError),
        ("{{a.append(3)}}", {"a": []}, SecurityError),
        ("{{''.__class__.__mro__}}", {}, SecurityError),
        ("{{a.__init__.__globals__}}", {"a": "x"}, SecurityError),
        ("{{ range(1000000) | list }}", {}, OverflowError),
    ],
)
def test_what_is_undefined_missing_or_unsafe_is_an_error(template, row, error):
    with pytest.raises(error):
        text_field(template)(row)


def test_a_template_that_jinja_cannot_read_gets_one_line():
    check_template("{{a}}{% if b %}c{% endif %}")
    for wrong in ("{{a", "{% if a %}", "{{a | nothing}}"):
        with pytest.raises(ValueError, match="its template is not jinja") as error:
            check_template(wrong)
        assert "\n" not in str(error.value)
    assert is_template("{{a}}") and is_template("{% raw %}") and not is_template("answer")


def test_targets_are_read_as_lm_eval_reads_them():
    row = {"label": 2, "text": "[1]", "many": ["a", "b"]}
    assert target_field("label", True)(row) == 2
    assert target_field("{{label}}", True)(row) == 2  # the place of a choice
    assert target_field("{{label}}", False)(row) == "2"  # a text
    assert target_field("text", False)(row) == "[1]"  # a column is as it is
    assert target_field("{{many}}", False)(row) == ["a", "b"]  # a template may print a list
    assert target_field("{{'[x'}}]", False)(row) == "[x]"  # or something that looks like one
    assert target_field(1, True)(row) == target_field("1", True)(row) == 1
    assert target_field(lambda given: given["label"] + 1, True)(row) == 3


@pytest.mark.parametrize("template", ["{{text}}", "{{text.strip()}}", "{{inner.text}}", "{{long[5:]}}"])
def test_one_text_that_looks_like_a_list_is_no_list_of_answers(template):
    row = {"text": "[1, 2]", "inner": {"text": "[1, 2]"}, "mark": "####", "long": "#### [1, 2]", "places": [1, 0]}
    with pytest.raises(
        ValueError, match=r"the right answer is the text '\[1, 2\]', which lm-eval would read as a list"
    ):
        target_field(template, False)(row)
    assert target_field(template, True)(row) == [1, 2]  # places of choices, which are no text
    assert target_field("{{[text, mark]}}", False)(row) == ["[1, 2]", "####"]
    assert target_field("{{places}}", False)(row) == [1, 0]
    assert target_field("[{{places[0]}}, {{text}}]", False)(row) == [1, [1, 2]]
    assert target_field("[{{'{[]'}}: 1}]", False)(row) == "[{[]: 1}]"  # Python cannot make it


def test_choices_are_constant_a_column_or_a_template_of_a_list():
    row = {"options": ["x", "y"], "sides": {"left": "l", "right": "r"}}
    assert choices_field(["A", "B"])(row) == choices_field({"a": "A", "b": "B"})(row) == ["A", "B"]
    assert choices_field("options")(row) == ["x", "y"]
    assert choices_field("{{[sides.left, sides.right]}}")(row) == ["l", "r"]
    assert choices_field("['yes', 'no']")(row) == ["yes", "no"]
    assert choices_field(lambda given: [given["sides"]["left"], "z"])(row) == ["l", "z"]
