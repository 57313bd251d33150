import pytest
from helpers.models import make_tokenizer

from semalign.data.chat import chat_format

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] {{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)


def with_template(template, **special):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    tokenizer.add_special_tokens(special)
    return tokenizer


@pytest.mark.parametrize(
    ("name", "begun", "open_end"),
    [
        ("plain", "Q?\nA:", "Q?"),
        ("tulu", "<|user|>\nQ?\n<|assistant|>\nA:", "<|user|>\nQ?\n<|assistant|>\n"),
        ("llama2", "[INST] Q? [/INST] A:", "[INST] Q? [/INST]"),
    ],
)
def test_fixed_formats(name, begun, open_end):
    assert chat_format(name)("Q?", "A:") == begun
    assert chat_format(name)("Q?", "") == open_end


def test_braces_and_percents_of_a_question_are_text():
    assert chat_format("tulu")("{question} {{a}} %s", "") == "<|user|>\n{question} {{a}} %s\n<|assistant|>\n"


def test_the_models_own_format_is_what_transformers_would_continue():
    tokenizer = with_template(CHATML)
    turns = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A:"}]
    expected = tokenizer.apply_chat_template(turns, tokenize=False, continue_final_message=True)
    assert chat_format("model", tokenizer)("Q?", "A:") == expected
    asked = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert chat_format("model", tokenizer)("Q?", "") == asked


def test_an_answer_begun_with_a_new_line_keeps_it_where_the_template_trims():
    prompt = chat_format("model", with_template(CHATML))("Q?", "```python\n")
    assert prompt == "<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\n```python\n"


def test_llama_2s_own_template_is_the_fixed_format(monkeypatch):
    tokenizer = with_template(LLAMA2, bos_token="<s>")
    render = chat_format("model", tokenizer)
    assert render("Q?", "A:") == "<s>[INST] Q? [/INST] A:"  # this tokenizer adds no <s> of its own
    tokenizer.add_bos_token = True
    tokenizer.update_post_processor()
    assert tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    render = chat_format("model", tokenizer)
    assert [render("Q?", answer) for answer in ("A:", "")] == ["[INST] Q? [/INST] A:", "[INST] Q? [/INST]"]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no chat format 'chatml': choose from plain, tulu, llama2, model"):
        chat_format("chatml")
    with pytest.raises(ValueError, match="needs a tokenizer with a chat template"):
        chat_format("model", make_tokenizer())
