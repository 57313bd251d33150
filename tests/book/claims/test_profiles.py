"""Profiles are read once, and again when they change."""

import pytest

from semalign.book.claims import profiles, stamps
from semalign.book.claims.profiles import profile_of, rows_text


def test_a_profile_is_read_once_until_its_file_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "RECENT", -1)  # a file counts as settled at once
    path = tmp_path / "mine.yaml"
    text = "teacher: micro-teacher\nstudent: micro-student\nseeds: [0]\ntasks: {micro_mmlu: {train_size: 1200}}\n"
    path.write_text(text)
    assert profile_of(str(path)) is profile_of(str(path)) and rows_text(str(path)) == "1,200"
    path.write_text(text.replace("1200", "1300"))
    assert rows_text(str(path)) == "1,300"
    with pytest.raises(FileNotFoundError, match="no profile 'absent'"):
        profile_of("absent")


def test_a_profile_that_is_wrong_is_refused_each_time(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("teachers: 3\n")
    for _ in range(2):
        with pytest.raises(ValueError, match="profile"):
            profiles.sizes(str(path))
