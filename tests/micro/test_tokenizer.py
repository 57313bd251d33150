import pytest

from semalign.micro import benchmarks
from semalign.micro.tokenizer import END, PAD, VOCABULARY_SIZE, train_tokenizer


@pytest.mark.slow
def test_shipped_tokenizer_is_made_again(tokenizer):
    assert train_tokenizer().get_vocab() == tokenizer.get_vocab()
    assert len(tokenizer) == VOCABULARY_SIZE
    assert (tokenizer.eos_token, tokenizer.pad_token) == (END, PAD)


def test_numbers_are_split_into_digits(tokenizer):
    assert tokenizer.tokenize("128+7") == ["1", "2", "8", "+", "7"]


@pytest.mark.slow
@pytest.mark.parametrize("name", benchmarks.ROWS)
def test_prompt_and_response_encoded_apart_give_the_ids_of_the_whole(tokenizer, name):
    for row in benchmarks.ROWS[name]("validation"):
        prompt, response = benchmarks.prompt_and_response(name, row)
        assert tokenizer.encode(prompt + response) == tokenizer.encode(prompt) + tokenizer.encode(response)
        assert tokenizer.decode(tokenizer.encode(prompt + response)) == prompt + response


def test_letters_are_single_tokens(tokenizer):
    assert all(len(tokenizer.encode(f" {letter}")) == 1 for letter in "ABCD")
