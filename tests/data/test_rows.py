"""Rows, the prompt boundary, positions, and bad input."""

import json

import pytest
import torch
from datasets import Dataset
from helpers.models import make_tokenizer
from helpers.tokenizers import tokenizer_of

from semalign.data.rows import Example, batches, encode, matching_positions, read_rows
from semalign.data.tokens import Encoder

ROWS = [{"prompt": "what is 1+1?", "response": " 2"}]


def test_rows_come_from_a_list_a_dataset_and_a_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n")
    assert read_rows(ROWS) == read_rows(Dataset.from_list(ROWS)) == read_rows(path) == read_rows(str(path)) == ROWS


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], ValueError, "data set is empty"),
        ([{"prompt": "x"}], ValueError, "row 1 must have a 'prompt' and a 'response'"),
        ([*ROWS, {"prompt": "x", "response": ""}], ValueError, "row 2 has an empty response"),
        ([{"prompt": 1, "response": "x"}], ValueError, "both text"),
        ("no/such.jsonl", FileNotFoundError, "no data file no/such.jsonl"),
    ],
)
def test_bad_rows_are_named(data, error, message):
    with pytest.raises(error, match=message):
        read_rows(data)


def test_a_broken_line_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt"\n')
    with pytest.raises(ValueError, match="line 2 is not JSON"):
        read_rows(tmp_path / "rows.jsonl")


def test_the_prompt_keeps_the_tokens_that_generation_gives_it(tokenizer):
    # "a" + "bc" would join into the token "ab"; the prompt must still end in "a".
    example = encode([{"prompt": "12a", "response": "bc"}], tokenizer, 64)[0]
    assert list(example.input_ids[: example.prompt_length]) == tokenizer("12a")["input_ids"]
    assert example.tokens == ("1", "2", "a", "b", "c", "<eos>")
    assert example.ends == (1, 2, 3, 4, 5, 6)
    assert list(example.positions()) == [2, 3, 4]
    assert list(example.positions("all")) == [0, 1, 2, 3, 4]


def test_a_clean_boundary_is_encoded_as_one_text(tokenizer):
    example = encode([{"prompt": "ab", "response": " ac"}], tokenizer, 64)[0]
    assert list(example.input_ids) == [*tokenizer("ab ac")["input_ids"], tokenizer.eos_token_id]


def test_a_row_longer_than_the_context_is_an_error_and_never_cut(tokenizer):
    rows = [*ROWS, {"prompt": "x" * 5, "response": "y" * 60}]
    with pytest.raises(ValueError, match=r"row 2 has 66 tokens .*context of 64"):
        encode(rows, tokenizer, 64)


def test_labels_cover_the_response_and_its_end(tokenizer):
    examples = encode([{"prompt": "x?", "response": "yz"}, {"prompt": "x", "response": "y"}], tokenizer, 64)
    batch = next(iter(batches(examples, 2)))
    y, z, eos = (*tokenizer("yz")["input_ids"], tokenizer.eos_token_id)
    assert batch["labels"].tolist() == [[-100, -100, y, z, eos], [-100, y, eos, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert torch.equal(batch["input_ids"][:, 1], torch.tensor([tokenizer("?")["input_ids"][0], y]))


def test_equal_tokens_match_one_to_one(tokenizer):
    example = encode(ROWS, tokenizer, 64)[0]
    teacher, student = matching_positions(example, example)
    assert student == teacher == list(example.positions())


def test_tokenizers_that_cut_differently_match_where_both_end_a_token(tokenizer):
    rows = [{"prompt": "x?", "response": "abcab"}]
    student = encode(rows, tokenizer, 64)[0]
    teacher = encode(rows, make_tokenizer(words=["ca"]), 64)[0]
    assert student.tokens == ("x", "?", "ab", "c", "ab", "<eos>")
    assert teacher.tokens == ("x", "?", "a", "b", "ca", "b", "<eos>")
    assert matching_positions(teacher, student) == ([1, 3, 5], [1, 2, 4])  # "c" ends inside the teacher's "ca"


def test_of_tokens_that_end_at_one_character_only_the_last_has_read_it():
    # A character of two bytes: the student has a token for each byte, the teacher one for the character.
    teacher = Example((7, 8, 9), 1, ("x", "é", "!"), (1, 2, 3))
    student = Example((1, 2, 3, 4), 1, ("x", "Ã", "©", "!"), (1, 2, 2, 3))
    assert matching_positions(teacher, student, "all") == ([0, 1], [0, 2])
    assert matching_positions(student, teacher, "all") == ([0, 2], [0, 1])


@pytest.mark.parametrize(("prompt", "response"), [("x", "\u200b"), ("", "y")])
def test_a_row_without_a_position_to_learn_is_refused(prompt, response):
    tokenizer = make_tokenizer()  # knows no zero-width space
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="row 2 has nothing to learn: no token of its response"):
        encode([*ROWS, {"prompt": prompt, "response": response}], tokenizer, 64)


def test_without_an_end_of_sequence_token_nothing_ends_a_row():
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    example = encode([{"prompt": "x", "response": "yz"}], tokenizer, 64)[0]
    assert example.tokens == ("x", "y", "z") and not example.added_end


def test_a_response_that_writes_the_end_itself_has_one(tokenizer):
    example = encode([{"prompt": "x", "response": "y<eos>"}], tokenizer, 64)[0]
    assert example.tokens == ("x", "y", "<eos>") and not example.added_end


def test_every_token_of_a_text_is_read_and_an_added_end_is_not(tokenizer):
    without_end = make_tokenizer()
    without_end.eos_token = None
    for text, which, n in (
        ("xyz", tokenizer, 3),
        ("xyz", without_end, 3),
        ("xy<eos>", tokenizer, 3),
        ("", tokenizer, 0),
    ):
        assert encode([{"prompt": text, "response": ""}], which, 64)[0].positions("read") == range(n)


def test_what_cannot_be_encoded_is_refused_by_row(tokenizer):
    longer = make_tokenizer()
    longer.add_tokens(["<tool>"])
    with pytest.raises(ValueError, match=r"row 2: token \d+ \('<tool>'\) has no embedding: the model has"):
        encode([*ROWS, {"prompt": "x", "response": "<tool>"}], Encoder(longer, len(tokenizer)), 64)
    with pytest.raises(ValueError, match="row 1: this tokenizer joins the end of the prompt"):
        encode([{"prompt": "a#", "response": "$b"}], tokenizer_of("characters"), 64)
