"""Conversations as rows: what may stand in them, and the prompt and response that a chat template makes of them."""

import numpy as np
import pytest
from helpers.models import make_tokenizer
from helpers.tokenizers import tokenizer_of

from semalign.data.messages import check_messages, plain, rendered
from semalign.data.rows import encode, read_rows

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
LLAMA2 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
ALTERNATING = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{% endfor %}"
)
SAID = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Q?"},
    {"role": "assistant", "content": "A."},
    {"role": "user", "content": "And?"},
    {"role": "assistant", "content": " B.\n"},
]

TOOLS = [{"name": "add"}]
CALLED = [
    {"role": "user", "content": "7+5?"},
    {"role": "assistant", "reasoning_content": "sum", "tool_calls": [{"function": {"name": "add"}}]},
    {"role": "tool", "content": "12"},
]
TOOLED = (
    "{% if tools %}TOOLS {{ tools | tojson }}\n{% endif %}{% for m in messages %}{{ m.role }}"
    "{% if m.name %} {{ m.name }}{% endif %}: {% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
    "{% endif %}{{ m.content }}{% for c in m.tool_calls or [] %}[CALL {{ c.function.name }}]{% endfor %}"
    "{{ '\n' }}{% endfor %}"
)


def with_template(template, **special):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"], **special})
    return tokenizer


def test_the_last_answer_is_the_response_with_the_end_of_its_turn():
    tokenizer = with_template(CHATML)
    row = rendered([{"messages": SAID}], tokenizer)[0]
    assert row["prompt"] == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\nA.<|im_end|>\n"
        "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert row["response"] == " B.\n<|im_end|>"
    example = encode([row], tokenizer, 400)[0]
    assert example.tokens[-3:] == ("Ċ", "<|im_end|>", "<eos>")  # generation may end at either
    assert example.prompt_length == len(tokenizer(row["prompt"]).input_ids)


def test_an_end_of_turn_that_is_the_end_of_sequence_comes_once():
    tokenizer = with_template(CHATML, eos_token="<|im_end|>")
    row = rendered([{"messages": SAID[1:3]}], tokenizer)[0]
    assert encode([row], tokenizer, 400)[0].tokens[-2:] == (".", "<|im_end|>")


@pytest.mark.parametrize("kind", ["llama-legacy", "metaspace-first", "byte-level"])
def test_the_first_token_comes_once_whoever_renders(kind, monkeypatch):
    tokenizer = tokenizer_of(kind)
    monkeypatch.setattr(tokenizer, "chat_template", LLAMA2)
    row = rendered([{"messages": SAID[1:3]}], tokenizer)[0]
    assert row == {"prompt": "[INST] Q? [/INST]", "response": " A. </s>"}
    by_hand = {"prompt": tokenizer.apply_chat_template(SAID[1:2], tokenize=False), "response": " A. </s>"}
    assert by_hand["prompt"] == "<s>[INST] Q? [/INST]"
    for example in encode([row, by_hand], tokenizer, 400):
        assert example.input_ids.count(tokenizer.bos_token_id) == 1 == example.input_ids.count(tokenizer.eos_token_id)
        assert (example.tokens[0], example.tokens[-1]) == ("<s>", "</s>")
    ids = tokenizer.apply_chat_template(SAID[1:2], tokenize=True)["input_ids"]
    assert list(encode([by_hand], tokenizer, 400)[0].input_ids[: len(ids)]) == ids


def test_rows_of_two_texts_stay_and_messages_are_read_as_they_are():
    texts = {"prompt": "x", "response": "y"}
    assert read_rows([texts, {"messages": SAID, "id": 3}]) == [texts, {"messages": SAID}]
    assert rendered([texts, {**texts, "messages": None}], make_tokenizer()) == [texts, texts]


def test_a_template_gets_every_part_of_a_conversation():
    row = {"tools": TOOLS, "messages": [*CALLED, {"role": "assistant", "content": "12", "name": "Ann", "weight": 1}]}
    assert rendered(read_rows([row]), with_template(TOOLED)) == [
        {
            "prompt": 'TOOLS [{"name": "add"}]\nuser: 7+5?\nassistant: <think>sum</think>[CALL add]\ntool: 12\n'
            "assistant Ann:",
            "response": " 12",
        }
    ]


def test_what_a_table_has_for_keys_that_a_row_lacks_is_not_there():
    nulls = {"tool_calls": None, "name": None, "weight": float("nan"), "more": [{"a": None, "b": np.array([1, 2])}]}
    assert plain({"turns": np.array([nulls], dtype=object)}) == {"turns": [{"more": [{"b": [1, 2]}]}]}
    said = [{**turn, "tool_calls": None, "train": float("nan")} for turn in SAID]
    assert read_rows([{"messages": np.array(said, dtype=object), "tools": None}]) == [{"messages": SAID}]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"messages": SAID, "tools": TOOLS}, "'tools'"),
        ({"messages": [*CALLED[:2], SAID[3], SAID[4]]}, "'tool_calls'"),
        ({"messages": [SAID[1], {"role": "tool", "content": "12"}, SAID[4]]}, "messages of the role 'tool'"),
    ],
)
def test_tools_that_the_template_leaves_out_are_refused(row, what):
    silent = with_template(
        "{% for m in messages %}{% if m.role != 'tool' %}{{ m.role }}: {{ m.content | trim }}\n{% endif %}{% endfor %}"
    )
    with pytest.raises(
        ValueError, match=f"row 1: the chat template leaves out {what}: use rows of prompt and response"
    ):
        rendered(read_rows([row]), silent)
    assert rendered(read_rows([row]), with_template(TOOLED))


def test_a_rendered_row_that_no_tokenizer_can_read_is_refused():
    row = {"messages": SAID[1:3], "tools": [{"name": "\ud800"}]}
    with pytest.raises(ValueError, match=r"row 1 has half of a character \(\\ud800\)"):
        rendered(read_rows([row]), with_template(TOOLED))


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "must be a list of objects"),
        ("hello", "must be a list of objects"),
        (["hello"], "must be a list of objects"),
        ([{"role": "human", "content": "x"}], "message 1 has the role 'human': the roles are system, user, assistant"),
        ([{"role": ["user"], "content": "x"}], "message 1 has the role"),
        ([SAID[1], {"role": "assistant"}], "message 2 must have a 'content' that is text, it is 'None'"),
        (SAID[:2], "the last message is of the user: it must be the assistant's"),
        ([SAID[1], {"role": "assistant", "content": ""}], "the last message is empty"),
        (
            [SAID[1], {"role": "assistant", "tool_calls": TOOLS}],
            "the last message has 'tool_calls', of which nothing is",
        ),
        (
            [SAID[1], {**SAID[2], "reasoning_content": "Hm"}],
            "the last message has 'reasoning_content', of which nothing",
        ),
        ([SAID[1], {**SAID[2], "weight": 0}], "message 2 has 'weight': 0, but the last message is learned"),
        ([SAID[1], {**SAID[2], "weight": 0.5}], "message 2 has 'weight': 0.5, but the last message is learned"),
        (
            [SAID[1], {**SAID[2], "train": False}],
            "message 2 has 'train': False, but the last message is learned, and no "
            "other: leave out the row, or the key",
        ),
        (
            [*SAID[:2], {**SAID[2], "train": True}, *SAID[3:]],
            "message 3 has 'train': True, but the last message is "
            "learned, and no other: make a row that ends with this message",
        ),
        ([SAID[1], {**SAID[2], "weight": 0}, SAID[3], {**SAID[4], "weight": 1, "train": True}], ""),
        (SAID, ""),
    ],
)
def test_messages_that_cannot_be_learned_are_refused_by_row(messages, problem):
    assert check_messages(messages).find(problem) >= 0 if problem else check_messages(messages) == ""
    if problem:
        with pytest.raises(ValueError, match="row 2: ") as raised:
            read_rows([{"messages": SAID}, {"messages": messages}])
        assert problem in str(raised.value) and "\n" not in str(raised.value)


def test_a_template_that_is_not_there_or_refuses_is_named_with_the_row():
    rows = [{"prompt": "x", "response": "y"}, {"messages": SAID}]
    with pytest.raises(ValueError, match=r"row 2: the tokenizer .* has no chat template: give rows of prompt and resp"):
        rendered(rows, make_tokenizer())
    with pytest.raises(ValueError, match=r"row 2: the chat template of .* fails .*no system role"):
        rendered(rows, with_template(ALTERNATING))
    with pytest.raises(ValueError, match="row 2: the chat template leaves out the last answer"):
        rendered(rows, with_template("{{ messages[0].content }}"))


def test_an_answer_that_the_template_changes_is_refused():
    """A template for reasoning moves what stands between the marks of thinking, or leaves it out."""
    thinking = with_template(
        "{% for m in messages %}{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n\n</think>\n\n"
        "{{ m.content.split('</think>')[-1] | trim }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    )
    said = (" A.\n", "<think>Hm</think>A.")
    rows = [{"messages": [SAID[1], {"role": "assistant", "content": text}]} for text in said]
    assert rendered(rows[:1], thinking)[0]["response"] == " A.\n<|im_end|>"
    with pytest.raises(ValueError, match=r"row 2: the chat template changes the answer '<think>Hm</think>A\.'"):
        rendered(rows, thinking)
