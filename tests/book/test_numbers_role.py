"""Numbers of records in prose."""

import pytest
from helpers.sphinx_pages import build_text

from semalign.book.numbers_role import number
from semalign.files import write_json


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMALIGN_ROOT", str(tmp_path))
    write_json(tmp_path / "data" / "results" / "speed" / "a.json", {"n": 1319, "sizes": [{"ratio": 2.718}]})
    return tmp_path


def test_a_number_is_that_of_its_field_in_the_format(root):
    assert number("speed/a.json:n") == "1319" and number("speed/a.json:n:,") == "1,319"
    assert number("speed/a.json:sizes.0.ratio:.1f") == "2.7"


def test_without_its_file_a_number_is_not_run(root):
    assert number("speed/b.json:n") == "not run"


@pytest.mark.parametrize("wrong", ["speed/a.json", "speed/a.json:m", "speed/a.json:sizes.1.ratio", "speed/a.json:n:z"])
def test_a_wrong_field_or_format_is_an_error(root, wrong):
    with pytest.raises(ValueError, match=r"names no field|has no"):
        number(wrong)


@pytest.mark.slow
def test_a_page_shows_it(root):
    (root / "page").mkdir()
    (root / "page" / "index.md").write_text("# Page\n\nIt has {num}`speed/a.json:n:,` items.\n")
    (root / "page" / "conf.py").write_text(
        "from semalign.book.kept_texts import Texts\nfrom semalign.book.numbers_role import NumberRole\n"
        "extensions = ['myst_parser']\n"
        "def setup(app):\n    app.add_role('num', NumberRole())\n    app.add_env_collector(Texts)\n"
    )
    assert build_text(root) == (0, "")
    assert "It has 1,319 items." in (root / "out" / "index.txt").read_text()
    write_json(root / "data" / "results" / "speed" / "a.json", {"n": 1320})
    assert build_text(root) == (0, "")  # the page is the same, but not its record
    assert "It has 1,320 items." in (root / "out" / "index.txt").read_text()
    (root / "page" / "index.md").write_text("# Page\n\nIt has {num}`speed/a.json:m` items.\n")
    status, told = build_text(root)
    assert status and "data/results/speed/a.json has no m" in told
