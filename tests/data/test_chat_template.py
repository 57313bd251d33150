"""Chat templates are programs: they are rendered as they are, and what loops or fails is one line."""

import pytest

from semalign.data import chat_template
from semalign.data.chat_template import render
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
