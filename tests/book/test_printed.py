"""Links of the book as one page, for print."""

from semalign.book.printed import without_file_links


def test_links_to_files_become_text_and_others_stay():
    kept = '<a class="internal" href="#document-claims"><span>Claims</span></a> <a href="https://example.org">x</a>'
    file = (
        '<a class="reference download internal" download="" href="_downloads/1/a.csv"><span\nclass="y">data</span></a>'
    )
    page = '<a href="../provenance.html">all</a>'
    assert without_file_links(f"{kept} {file} {page}") == f'{kept} <span\nclass="y">data</span> all'
