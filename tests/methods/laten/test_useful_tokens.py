"""The last token of a text that says something."""

import pytest
from helpers.models import make_llama, make_tokenizer

from semalign.methods.laten.useful_tokens import useful_texts
from semalign.models.loading import LanguageModel


def test_last_useful_token_is_before_closing_punctuation(tokenizer):
    model = LanguageModel(make_llama(len(tokenizer), 16, 1, seed=0), tokenizer)
    rows = [
        {"prompt": "a?", "response": " 1+1=2. \n"},
        {"prompt": "a?", "response": " 1+1=2"},
        {"prompt": "a?", "response": ".."},
    ]
    first, second, third = useful_texts(rows, model)
    assert first == second
    assert tokenizer.convert_ids_to_tokens(first[-1:]) == ["2"]
    assert tokenizer.convert_ids_to_tokens(third[-1:]) == ["."]
    with pytest.raises(ValueError, match="row 1 has nothing before its last token"):
        useful_texts([{"prompt": "", "response": "a"}], model)


def test_the_end_of_a_turn_is_no_useful_token():
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_end|>"]})
    for end in ("<|im_end|>", tokenizer.eos_token):
        model = LanguageModel(make_llama(len(tokenizer), 16, 1, seed=0), tokenizer)
        (found,) = useful_texts([{"prompt": "a?", "response": f" 1+1=2.{end}\n"}], model)
        assert tokenizer.convert_ids_to_tokens(found[-1:]) == ["2"]
    (alone,) = useful_texts([{"prompt": "a?", "response": "<|im_end|>"}], model)
    assert tokenizer.convert_ids_to_tokens(alone[-1:]) == ["<|im_end|>"]
