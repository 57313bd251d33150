"""The edition of a checkout, and of a folder outside git."""

import re
import subprocess
from importlib.metadata import version

import pytest
import yaml
from jinja2 import Template

from semalign.book.edition import commit_text, edition, name_commit
from semalign.paths import project_root

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


def test_a_new_commit_is_written_into_pages_that_are_there(tmp_path):
    page, other = tmp_path / "a" / "page.html", tmp_path / "other.html"
    page.parent.mkdir()
    page.write_text('<p>ä</p><span class="commit"> · commit old, 2019-01-01</span> · MIT')
    other.write_text("<span>old</span>")
    name_commit(tmp_path, {"version": "1", "commit": "abc", "date": "2020-02-03"})
    assert page.read_text() == '<p>ä</p><span class="commit"> · commit abc, 2020-02-03</span> · MIT'
    assert other.read_text() == "<span>old</span>"
    name_commit(tmp_path, {"version": "1"})
    assert '<span class="commit"></span>' in page.read_text()


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        (
            {"version": "1.2", "commit": "abc", "date": "2020-02-03"},
            "semalign 1.2 · commit abc, 2020-02-03 · MIT licence",
        ),
        ({"version": "1.2"}, "semalign 1.2 · MIT licence"),
    ],
)
def test_the_footer_shows_the_edition_and_leads_to_how_to_cite(known, shown):
    book = project_root() / "book"
    template = Template((book / "_templates" / "edition.html").read_text(encoding="utf-8"))
    for page, link in {"../index.html": "../index.html#how-to-cite", "#": "#how-to-cite"}.items():  # "#": from itself
        footer = template.render(edition=known, commit=commit_text(known), pathto=lambda name, page=page: page)
        assert shown in " ".join(re.sub("<[^a/][^>]*>|</span>", "", footer).split()) and f'href="{link}"' in footer
    assert "(how-to-cite)=" in (book / "index.md").read_text(encoding="utf-8")
    options = yaml.safe_load((book / "_config.yml").read_text())["sphinx"]["config"]["html_theme_options"]
    assert options["footer_content_items"] == ["edition.html"] and options["use_download_button"]
