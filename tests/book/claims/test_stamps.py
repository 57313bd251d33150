"""A stamp is another one as soon as a file may have other content."""

import os

import pytest

from semalign.book.claims import stamps
from semalign.book.claims.stamps import stamp


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "RECENT", -1)  # a file counts as settled at once
    found = tmp_path / "one.json"
    found.write_text("1")
    return found


def test_a_stamp_stays_while_the_file_does(path):
    before = stamp(path)
    assert before == stamp(str(path)) and before.taken == 0
    path.write_text("12")
    assert stamp(path) != before


def test_another_file_of_the_same_size_and_time_has_another_stamp(path):
    before, other = stamp(path), path.with_name("other")
    other.write_text("2")
    os.utime(other, ns=(before.modified, before.modified))
    other.replace(path)
    after = stamp(path)
    assert (after.size, after.modified) == (before.size, before.modified) and after != before


def test_a_file_that_has_just_changed_has_a_stamp_of_its_own_each_time(path, monkeypatch):
    monkeypatch.setattr(stamps, "RECENT", 10**12)
    assert stamp(path) != stamp(path) and stamp(path).taken > 0


def test_the_files_of_a_folder_are_chosen_by_their_ending(path):
    path.with_name("one.jsonl.gz").write_text("")
    assert list(stamps.stamps(path.parent, ".json")) == [stamp(path)]
    assert list(stamps.stamps(path.parent / "absent", ".json")) == []
    with pytest.raises(FileNotFoundError):
        stamp(path.with_name("absent"))
