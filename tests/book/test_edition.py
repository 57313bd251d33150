"""The edition of a checkout, and of a folder outside git."""

import subprocess
from importlib.metadata import version

from semalign.book.edition import edition

COMMIT = ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "a"]


def test_a_checkout_has_the_date_of_its_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-02-03T04:05:06+00:00")
    for arguments in (["init", "-q"], COMMIT):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    found = edition(tmp_path)
    head = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    assert found == {"version": version("semalign"), "commit": head[:12], "date": "2020-02-03"}
    (tmp_path / "unpacked").mkdir()
    assert edition(tmp_path / "unpacked") == {"version": version("semalign")}


def test_outside_git_or_without_it_only_the_version_is_known(tmp_path, monkeypatch):
    assert edition(tmp_path) == {"version": version("semalign")}
    monkeypatch.setenv("PATH", "")
    assert edition(tmp_path) == {"version": version("semalign")}
