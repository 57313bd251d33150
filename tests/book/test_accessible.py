"""Corrected HTML: arguments of signatures and entries of bibliographies."""

from semalign.book.accessible import accessible, breakable

SIGNATURE = '(</span>\n\n<dl>\n<dd>x: <a href="#">int</a>,</dd>\n<dd>y,</dd>\n</dl>\n\n<span class="sig-paren">)</span>'


def test_arguments_become_a_plain_list():
    assert accessible(SIGNATURE) == (
        '(</span>\n\n<ul class="sig-arguments">\n<li>x: <a href="#">int</a>,</li>\n<li>y,</li>\n</ul>'
        '\n\n<span class="sig-paren">)</span>'
    )


def test_other_lists_of_definitions_stay():
    text = "<dl>\n<dt>term</dt>\n<dd>meaning</dd>\n</dl>\n\n<p>text</p>"
    assert accessible(text) == text


def test_references_are_items_of_their_list():
    text = '<div role="list"><div class="citation" role="doc-biblioentry">a paper</div></div>'
    assert accessible(text) == '<div role="list"><div class="citation" role="listitem">a paper</div></div>'


def test_only_long_words_of_code_may_break():
    short, long = "&lt;data&gt;.jsonl", "data/results/micro/semalign--*"
    text = "".join(f'<code><span class="pre">{word}</span></code>' for word in (short, long))
    assert breakable(text) == text.replace(f'"pre">{long}', f'"pre long">{long}')
    assert breakable(f'<span class="pre">{"&lt;" * 24}</span>') == f'<span class="pre">{"&lt;" * 24}</span>'
