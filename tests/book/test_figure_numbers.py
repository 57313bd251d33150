"""Numbers of figures and tables of pages that are no chapters."""

from unittest.mock import Mock

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from semalign.book.figure_numbers import lettered, restore, set_letters

PLAIN = {
    "micro": {"table": {"models": (1,), "tasks": (2,)}},
    "chapter": {"table": {"scores": (8, 1)}, "figure": {"gap": (8, 1)}},
    "decisions": {"table": {"rules": (3,)}, "figure": {"packages": (1,)}},
}


def test_each_page_that_is_no_chapter_has_a_letter():
    assert lettered(PLAIN) == {
        "micro": {"table": {"models": ("A", 1), "tasks": ("A", 2)}},
        "chapter": PLAIN["chapter"],
        "decisions": {"table": {"rules": ("B", 1)}, "figure": {"packages": ("B", 1)}},
    }


def test_every_page_is_written_again_once_a_number_has_changed():
    def moved(numbers):
        env = Mock(spec=BuildEnvironment, toc_fignumbers=PLAIN, found_docs={"b", "a"}, semalign_plain_numbers={})
        assert set_letters(Mock(spec=Sphinx), env) == []  # the first build
        env.toc_fignumbers = numbers
        return set_letters(Mock(spec=Sphinx), env)

    chapter = PLAIN["chapter"]
    assert moved(PLAIN) == moved({**PLAIN, "new": {"table": {"costs": (9, 1)}}}) == []
    assert moved({**PLAIN, "chapter": {**chapter, "table": {"new": (8, 1), "scores": (8, 2)}}}) == ["a", "b"]
    assert moved({**PLAIN, "chapter": {"figure": chapter["figure"]}}) == ["a", "b"]  # to say that it is missing


def test_sphinx_compares_its_own_numbers_so_that_unchanged_pages_are_not_written_again():
    app, env = Mock(spec=Sphinx), Mock(spec=BuildEnvironment, toc_fignumbers=PLAIN)
    assert set_letters(app, env) == [] and env.toc_fignumbers == lettered(PLAIN)
    assert restore(app, env) == [] and env.toc_fignumbers == PLAIN
