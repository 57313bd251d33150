"""The built book as a reader has it: `make test-book` opens each page in chromium, wide and narrow, light and dark."""

import os
import re
from dataclasses import asdict
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from helpers.browser import (
    CHROMIUM,
    HTML,
    WIDTHS,
    Reader,
    Seen,
    book_pages,
    broken_links,
    poor_contrast,
    read_anchors,
    served,
    user_flags,
)

from semalign.files import read_json, write_json
from semalign.paths import project_root

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-book")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed: make test-book")

PAGES = book_pages()
SCHEMES = ("light", "dark")
FIRST = "index.html"  # with it a reader has styles, scripts and what draws formulas
MOST = 1_500_000  # bytes
FIGURE = re.compile(r'(?:"name": "|^:name: |drawn_figure\(.*")(fig-[\w-]+)', re.MULTILINE)
NUMBERS = re.compile(r"\d (→|±|>) |\d \[[-+]?\d")  # several in one text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
    pytest.mark.skipif(not (HTML / "index.html").is_file(), reason="there is no built book: make book"),
]


@pytest.fixture(scope="module")
def base():
    with served(HTML) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=user_flags())
        yield started
        started.close()


@pytest.fixture(scope="module")
def readers(browser, base):
    """A reader for each colour scheme, who has been on the first page."""
    found = {scheme: Reader(browser, base, scheme) for scheme in SCHEMES}
    for reader in found.values():
        reader.visit(FIRST)
    yield found
    for reader in found.values():
        reader.context.close()


@pytest.fixture(scope="module")
def anchors():
    return read_anchors()


@pytest.fixture(scope="module", params=PAGES)  # so that the tests of a page follow each other
def name(request):
    return request.param


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A folder that all processes share, with what was seen of each page: it is read once, for all tests of it."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "seen"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module", params=SCHEMES)
def seen(request, name, readers, kept):
    path = kept / f"{request.param}-{name.replace('/', '-')}.json"
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            write_json(path, asdict(readers[request.param].read(name)))
    return Seen(**read_json(path))


def test_the_console_is_silent(seen):
    assert seen.messages == []


def test_no_request_fails_or_leaves_the_machine(seen):
    assert seen.failed == [] and seen.foreign == []


def test_a_page_does_not_scroll_sideways(seen):
    assert seen.sideways == {"desktop": 0, "phone": 0}


def test_tables_fit_their_column_on_a_desktop(seen):
    assert seen.wide_tables == []


def test_drawings_fit_their_column_on_a_desktop(seen):
    assert seen.wide_drawings == []


def test_text_of_drawings_can_be_read(seen):
    assert seen.small_text == []


def test_every_figure_is_drawn_once_at_each_width(name, seen):
    stem, root = Path(name).stem, project_root()
    written = f"notebooks/{stem}.py", f"book/{stem}.md", f"src/semalign/book/{stem}_page.py"
    sources = [root / name for name in written if (root / name).is_file()]
    asked = [figure for source in sources for figure in FIGURE.findall(source.read_text(encoding="utf-8"))]
    assert sorted(seen.figures) == sorted(asked) and seen.lost_figures == []


def test_every_image_is_drawn_and_described(seen):
    assert seen.images == []


def test_axe_finds_nothing_grave(seen):
    assert not any(seen.findings.values()), seen.findings


def test_a_page_after_the_first_is_light(name, seen):
    assert name == FIRST or seen.transferred <= MOST


@pytest.mark.parametrize("name", [FIRST, "notebooks/03_attribution.html"])
def test_the_console_is_silent_without_a_server(page, name):
    messages = []
    page.on("console", lambda message: messages.append(message.text) if message.type in ("error", "warning") else None)
    page.on("requestfailed", lambda request: messages.append(request.url))
    page.goto((HTML / name).as_uri(), wait_until="networkidle")
    assert messages == []


def test_every_link_within_the_book_leads_somewhere(name, anchors):
    assert broken_links(name, anchors) == []


def test_a_single_pale_text_is_found(browser):
    page = browser.new_page()
    rows = "".join(f"<tr style='background: {back}'><td>text</td></tr>" for back in ["white"] * 50 + ["#333"])
    page.set_content(f"<body style='color: #222'><table>{rows}</table><p style='color: #ccc'>pale</p>")
    (found,) = poor_contrast(page)
    assert found.startswith("color-contrast: 2 places")
    page.close()


@pytest.fixture(params=product(WIDTHS.values(), SCHEMES), ids=lambda pair: f"{pair[0]}-{pair[1]}")
def page(request, browser):
    """A page at each width and in each colour scheme."""
    width, scheme = request.param
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    yield opened
    opened.close()


def test_search_finds_a_term(page, base):
    page.goto(f"{base}search.html?q=semantic+basis", wait_until="networkidle")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert "notebooks/01_semantic_basis" in " ".join(link.get_attribute("href") for link in results.all())


def test_the_page_inside_a_state_answers_a_click_and_a_key_without_a_server(page):
    page.goto((HTML / "notebooks" / "07_inside_a_state.html").as_uri())
    tokens, views = page.locator(".se-text button"), page.locator(".se-views")
    first = views.inner_text()
    tokens.nth(3).click()
    assert [tokens.nth(i).get_attribute("aria-pressed") for i in (0, 3)] == ["false", "true"]
    clicked = views.inner_text()
    page.keyboard.press("ArrowRight")
    assert tokens.nth(4).get_attribute("aria-pressed") == "true" and len({first, clicked, views.inner_text()}) == 3
    layer = page.locator(".se-layer").inner_text()
    page.locator("#state-explorer-layer").press("ArrowLeft")
    assert page.locator(".se-layer").inner_text() != layer


def test_data_for_download_hold_numbers_rather_than_texts_of_them():
    texts = [
        f"{path.name}: {cell}"
        for path in sorted((HTML / "_static" / "data").glob("*.csv"))
        for cell in pd.read_csv(path).select_dtypes(exclude="number").stack()
        if NUMBERS.search(str(cell))
    ]
    assert texts == []
