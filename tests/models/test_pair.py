"""A teacher and a student: rows as both read them, and what tells one pair from another."""

import pytest
import torch
from helpers.models import make_llama, make_tokenizer
from helpers.saved_models import Watch, save
from torch import nn

from semalign.models import remembered
from semalign.models.identity import model_identity
from semalign.models.loading import LanguageModel, load_model
from semalign.models.pair import Pair


def test_both_encode_the_rows_each_by_its_own_tokenizer(student, rows):
    tokenizer = make_tokenizer(words=["is"])
    pair = Pair(LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer), student)
    encoded = pair.encode(rows[:2])
    assert (len(encoded.teacher), len(encoded.student)) == (2, 2)
    theirs, ours = encoded.teacher[0].tokens, encoded.student[0].tokens
    assert theirs != ours and [token.replace("Ġ", " ") for token in ours][:3] == ["w", "h", "at"]
    assert list(theirs)[:4] == ["w", "h", "a", "t"]


def test_a_row_is_encoded_once_and_an_error_has_its_number_among_all(teacher, student, rows, monkeypatch):
    teacher.model.config.max_position_embeddings = 60
    pair, seen, encode = Pair(teacher, student), [], LanguageModel.encode
    monkeypatch.setattr(LanguageModel, "encode", lambda self, rows: seen.append(len(rows)) or encode(self, rows))
    first = pair.encode([*rows[:3], rows[0]])
    again = pair.encode(rows[:5])
    assert seen == [3, 3, 2, 2]
    assert first.student[0] is first.student[3] is again.student[0] and first.teacher == [
        *again.teacher[:3],
        again.teacher[0],
    ]
    assert again == Pair(teacher, student).encode(rows[:5])
    with pytest.raises(ValueError, match="row 6 has"):
        pair.encode([*rows[:5], {"prompt": "x" * 60, "response": "y"}])
    monkeypatch.setattr("semalign.models.pair.KEPT_ROWS", 4)
    assert len(pair.encode(rows[:2]).teacher) == 2 and len(pair.teacher_source.examples) == 2


def test_a_row_that_is_too_long_for_one_of_them_is_an_error(teacher, student, rows):
    teacher.model.config.max_position_embeddings = 10
    with pytest.raises(ValueError, match="more than the context of 10"):
        Pair(teacher, student).encode(rows)


def test_architectures_and_fingerprints_are_those_of_the_two(teacher, student):
    pair = Pair(teacher, student)
    assert (pair.teacher_architecture.n_layers, pair.student_architecture.n_layers) == (5, 4)
    assert pair.fingerprints == {
        "teacher": model_identity(teacher),
        "student": model_identity(student),
    }
    with torch.no_grad():
        student.model.lm_head.weight[0, 0] += 1
    again = Pair(teacher, student).fingerprints
    assert again["teacher"] == pair.fingerprints["teacher"] and again["student"] != pair.fingerprints["student"]


def test_a_model_without_known_layers_is_an_error(teacher, student):
    student.model.config.model_type = "unheard-of"
    student.model.model.layers = nn.ModuleList()
    with pytest.raises(ValueError, match="unheard-of"):
        Pair(teacher, student)


def test_both_read_a_conversation_in_the_format_of_the_student(teacher, student):
    own = make_tokenizer()
    own.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    pair = Pair(teacher, LanguageModel(student.model, own))
    said = [{"role": "user", "content": "12"}, {"role": "assistant", "content": "ab"}]
    for example in (each[0] for each in pair.encode([{"messages": said}])):
        assert "".join(example.tokens) == "user:Ġ12Ċassistant:Ġab<eos>" and example.tokens[example.prompt_length] == "Ġ"


def test_a_row_that_one_of_them_cannot_read_is_named_with_the_model(teacher, student):
    longer = make_tokenizer()
    longer.add_tokens(["<tool>"])
    teacher.model.config.name_or_path = "some/teacher"
    with pytest.raises(ValueError, match=r"^teacher, row 1: token .* has no embedding"):
        Pair(LanguageModel(teacher.model, longer), student).encode([{"prompt": "x", "response": "<tool>"}])


def test_a_pair_by_name_answers_without_weights_once_it_is_known(teacher, student, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "RECENT", 0)
    paths = save(teacher, tmp_path / "large"), save(student, tmp_path / "small")
    watch = Watch(monkeypatch)
    first = Pair(*paths)
    assert not watch.loads  # checks come before any weights
    assert first.fingerprints and watch.loads
    watch.loads.clear()
    pair = Pair(*paths)
    loaded = Pair(*map(load_model, paths))
    assert pair.fingerprints == first.fingerprints == loaded.fingerprints and pair.computed_by == loaded.computed_by
    assert pair.encode(rows) == loaded.encode(rows)
    assert (pair.teacher_outline.n_layers, pair.student_outline.width) == (5, 12)
    assert not watch.loads
    assert pair.teacher.model is pair.teacher_architecture.model
    pair.teacher_source.release()
    assert pair.student_architecture.n_layers == 4 and watch.alive() == ["small"]
