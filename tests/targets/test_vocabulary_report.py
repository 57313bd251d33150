"""The shares that stand in a record, by hand, and the warnings below half."""

import pytest
from helpers.models import make_llama, make_tokenizer

from semalign.bases.token_keys import TokenNames
from semalign.data.rows import Example
from semalign.models.loading import LanguageModel
from semalign.models.pair import Pair
from semalign.targets.pair_heads import PairHeads
from semalign.targets.vocabulary_report import compare_vocabularies, report_lines, vocabulary_report

TEACHER = TokenNames((0, 1, 2, 5), ("▁a", "b", "c", "d"), ("text:2061", "text:62", "text:63", "text:64"))
STUDENT = TokenNames((0, 1, 2), ("Ġa", "b", "x"), ("text:2061", "text:62", "text:78"))


def example(prompt, *response):
    ids = (*prompt, *response)
    return Example(ids, len(prompt), tuple(map(str, ids)), tuple(range(len(ids))))


def test_shares_and_coverage_by_hand(caplog):
    teacher = [example((5, 5), 0, 1, 1, 5), example((2,), 5, 0)]  # 4 of the 6 response tokens are " a" or "b"
    student = [example((2,), 0, 1, 2), example((2,), 1)]  # 3 of 4
    report = vocabulary_report(TEACHER, STUDENT, teacher, student)
    assert report == {
        "by": "bytes",
        "shared": 2,
        "teacher": {"atoms": 4, "share": 0.5, "coverage": 4 / 6},
        "student": {"atoms": 3, "share": 2 / 3, "coverage": 0.75},
    }
    assert report_lines(report) == [
        "shared atoms: 2 by bytes, 50.0% of the teacher's 4 and 66.7% of the student's 3",
        "response tokens that are shared atoms: 66.7% of the teacher's and 75.0% of the student's",
    ]
    assert not caplog.records


def test_without_rows_there_is_no_coverage():
    report = vocabulary_report(TEACHER, STUDENT)
    assert report["teacher"]["coverage"] is None and len(report_lines(report)) == 1


@pytest.mark.parametrize(
    ("teacher", "student", "warning"),
    [
        (TEACHER, STUDENT._replace(keys=("text:00", "text:62", "text:78")), "only 33.3% of the student's 3 tokens"),
        (TEACHER._replace(keys=None), STUDENT, "the tokenizer of the teacher does not tell its tokens' bytes"),
    ],
)
def test_one_line_warns(caplog, teacher, student, warning):
    vocabulary_report(teacher, student)
    assert warning in caplog.messages[0] and all("\n" not in message for message in caplog.messages)


def test_data_that_the_shared_atoms_do_not_cover_warn(caplog):
    vocabulary_report(TEACHER, STUDENT, [example((0,), 5, 2, 0)], [example((0,), 0, 1)])
    assert [message[:55] for message in caplog.messages] == ["only 33.3% of the teacher's response tokens in these ro"]


def test_equal_strings_need_no_warning_where_no_tokenizer_tells(caplog):
    unknown = TEACHER._replace(keys=None)
    assert vocabulary_report(unknown, unknown)["by"] == "strings" and not caplog.records


def test_models_are_compared_without_their_weights_as_a_transfer_compares_them(student, rows, tmp_path):
    tokenizer = make_tokenizer(words=["is", "at"])
    teacher = LanguageModel(make_llama(len(tokenizer), 16, 5, seed=1), tokenizer)
    for name, each in (("teacher", teacher), ("student", student)):
        each.model.save_pretrained(tmp_path / name)
        each.tokenizer.save_pretrained(tmp_path / name)
    expected = PairHeads(Pair(teacher, student)).vocabulary(rows)
    for weights in tmp_path.glob("*/*.safetensors"):
        weights.write_bytes(b"not to be read")
    found = compare_vocabularies(tmp_path / "teacher", tmp_path / "student", rows)
    assert found == expected
    assert 0.5 < found["student"]["share"] < 1 and found["student"]["coverage"] is not None
