"""Chat templates are programs: they are rendered as they are, and what loops or fails is one line."""

import datetime

import pytest
from transformers.utils import chat_template_utils

from semalign.data import chat_template
from semalign.data.chat import chat_format
from semalign.data.chat_template import around_answer, render
from semalign.data.time_limit import time_limit

TURNS = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.fixture
def of_template(tokenizer):
    def make(template):
        tokenizer.chat_template = template
        return tokenizer

    yield make
    tokenizer.chat_template = None


def test_a_conversation_is_rendered_by_the_template(of_template):
    tokenizer = of_template(
        "{% for turn in messages %}<{{ turn.role }}>{{ turn.content }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    assert render(tokenizer, TURNS) == "<user>Hello<assistant>Hi"
    assert render(tokenizer, TURNS[:1], add_generation_prompt=True) == "<user>Hello<assistant>"


def test_a_template_that_loops_is_stopped(of_template, monkeypatch):
    monkeypatch.setattr(chat_template, "time_limit", lambda what: time_limit(what, 0.2))
    with pytest.raises(ValueError, match=r"chat template of .* does not end within"):
        render(of_template(LOOP), TURNS)


DATED = (
    "{% macro today(form) %}{{ strftime_now(form) }}{% endmacro %}"
    "{% if not date_string is defined %}{% if strftime_now is defined %}"
    "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '26 Jul 2024' %}{% endif %}"
    "{% endif %}"
    "{{ date_string }} {{ today('%Y-%m-%d') }}\n{% for turn in messages %}{{ turn.content }}\n{% endfor %}"
)


def test_the_date_is_the_same_on_every_day(of_template, monkeypatch):
    """Templates of Llama 3 write the date; with that of the day, the same rows would be other data tomorrow."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, *_):
            return cls(2031, 1, 2)

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)
    tokenizer = of_template(DATED)
    assert tokenizer.apply_chat_template(TURNS, tokenize=False).startswith("02 Jan 2031 2031-01-02\n")
    date = "26 Jul 2024 2024-07-26\n"
    assert render(tokenizer, TURNS) == f"{date}Hello\nHi\n"
    assert around_answer(tokenizer, TURNS[:1]) == (f"{date}Hello\n", "\n")
    assert chat_format("model", tokenizer)("Hello", "") == f"{date}Hello\n"


def test_a_template_gets_what_else_a_turn_has_and_the_tools(of_template):
    tokenizer = of_template(
        "{{ tools | length }}{% for turn in messages %}{{ turn.name }}: {{ turn.content }};{% endfor %}"
    )
    turns, tools = [{"role": "user", "content": "Hello", "name": "Ann"}], [{"name": "add"}]
    assert around_answer(tokenizer, turns, {"content": "x", "name": "Bob"}, tools=tools) == ("1Ann: Hello;Bob: ", ";")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('no\\nsystem') }}", "TemplateError: no system"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ messages.__class__.__mro__ }}", "SecurityError"),
    ],
)
def test_a_template_that_fails_is_one_line(of_template, template, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        render(of_template(template), TURNS)
    assert "\n" not in str(refused.value) and str(refused.value).startswith("the chat template of ")
