"""The built book, served from this machine and read in a real browser."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from semalign.paths import project_root

HTML = project_root() / "book" / "_build" / "html"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = {"desktop": 1366, "phone": 390}
GRAVE = ("critical", "serious")  # what axe calls an impact

# Pixels by which the page is wider than the window, and the images that are not drawn or have no alternative text.
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BAD_IMAGES = """[...document.images].filter(image => !image.complete || !image.naturalWidth || !image.width
    || !image.alt.trim()).map(image => image.outerHTML)"""

UNFOLD = """document.querySelectorAll("details").forEach(folded => { folded.open = true });
    new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))"""
WIDE_TABLES = """[...document.querySelectorAll(".bd-article .pst-scrollable-table-container")]
    .filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.innerText.slice(0, 80))"""
# Text of drawings below 11 pixels: its size times the scale of its drawing.
SMALL_TEXT = """[...document.querySelectorAll(".drawing text, .drawing tspan")].filter(text => {
    const drawing = text.ownerSVGElement, scale = drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width;
    return text.checkVisibility() && parseFloat(getComputedStyle(text).fontSize) * scale < 10.9
    }).map(text => text.textContent)"""
# The named figures, and those of them that show no drawing, or more than one, or one without a description.
FIGURES = """[...document.querySelectorAll("figure[id^=fig-]")].map(figure => figure.id)"""
LOST_FIGURES = """[...document.querySelectorAll("figure[id^=fig-]")].filter(figure => {
    const drawn = [...figure.querySelectorAll(".drawing svg, .state-explorer")]
        .filter(drawing => drawing.getBoundingClientRect().width);
    return drawn.length !== 1 || !(drawn[0].ariaLabel || drawn[0].getAttribute("aria-labelledby"))
    }).map(figure => figure.id)"""
WIDE_DRAWINGS = """[...document.querySelectorAll(".drawing")].filter(box => box.scrollWidth > box.clientWidth + 1)
    .map(box => box.innerText.slice(0, 80))"""

# What is unfolded fades in, and half-way it has less contrast.
AT_REST = """() => Promise.allSettled(document.getAnimations()
    .filter(animation => animation.effect.getComputedTiming().endTime < Infinity)
    .map(animation => animation.finished)).then(() => null)"""

SETTLES = 500  # ms in which the theme has seen that a width is another one, and which boxes scroll now

# Marks one text of each kind: what decides on its contrast are its colour, size, weight and what is painted behind it.
MARK_KINDS = """() => { const seen = new Set();
    document.querySelectorAll("[data-kind]").forEach(marked => marked.removeAttribute("data-kind"));
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, node => node.data.trim() ? 1 : 2);
    while (texts.nextNode()) {
        const holder = texts.currentNode.parentElement, style = getComputedStyle(holder);
        const kind = [style.color, style.fill, style.fontSize, style.fontWeight, holder instanceof SVGElement];
        for (let around = holder; around; around = around.parentElement) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(around);
            kind.push(opacity, backgroundImage);
            if (!backgroundColor.endsWith(", 0)")) kind.push(backgroundColor);
        }
        const name = [...new Set(kind)].join("|");
        if (!seen.has(name) && holder.checkVisibility({ visibilityProperty: true }) && holder.getClientRects().length) {
            seen.add(name);
            holder.setAttribute("data-kind", "");
        }
    } }"""

ONE_OF_EACH_KIND = """;axe.configure({ rules: [{ id: "color-contrast", selector: "[data-kind]" }] });"""


def book_pages() -> list[str]:
    """Return the pages of the built book, relative to its folder."""
    found = (path.relative_to(HTML) for path in sorted(HTML.rglob("*.html")))
    return [path.as_posix() for path in found if path.parts[0] != "_static"]


class Quiet(SimpleHTTPRequestHandler):
    """A server that does not write a line for each request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder; give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Seen:
    """What a browser saw of one page in one colour scheme.

    Attributes:
        messages: errors and warnings of the console.
        failed: requests that failed, or were answered by an error.
        foreign: requests to other hosts.
        sideways: pixels by which the page is wider than the window, by the name of the width.
        wide_tables: tables that are wider than their column on a desktop.
        wide_drawings: drawings that are wider than their column on a desktop.
        small_text: text of drawings below 11 pixels.
        figures: names of the figures.
        lost_figures: figures of which not one drawing is seen, by its width.
        images: images that are not drawn or have no alternative text.
        findings: grave findings of axe, by the name of the width; in the dark, those of contrast only.
        transferred: bytes that came over the network.
    """

    messages: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    sideways: dict[str, int] = field(default_factory=dict)
    wide_tables: list[str] = field(default_factory=list)
    wide_drawings: list[str] = field(default_factory=list)
    small_text: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    lost_figures: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    findings: dict[str, list[str]] = field(default_factory=dict)
    transferred: int = 0


class Reader:
    """Reads pages of the book in one colour scheme, with one cache for all of them."""

    def __init__(self, browser: Any, base: str, scheme: str) -> None:
        self.base, self.scheme, self.context = base, scheme, browser.new_context(color_scheme=scheme)
        self.seen: dict[str, Seen] = {}

    def read(self, name: str) -> Seen:
        """Return what is seen of a page; each page is read once."""
        if name not in self.seen:
            self.seen[name] = self._read(name)
        return self.seen[name]

    def visit(self, name: str) -> None:
        """Open a page, so that what it loads is in the cache."""
        self._open(name, Seen()).close()

    def _open(self, name: str, seen: Seen) -> Any:
        page = self.context.new_page()
        self._watch(page, seen)
        page.set_viewport_size({"width": WIDTHS["desktop"], "height": 900})
        page.goto(self.base + name, wait_until="networkidle")
        page.wait_for_selector(f'html[data-theme="{self.scheme}"]', state="attached")
        return page

    def _read(self, name: str) -> Seen:
        seen = Seen()
        page = self._open(name, seen)
        page.evaluate(UNFOLD)
        page.evaluate(AT_REST)
        seen.images, seen.wide_tables = page.evaluate(BAD_IMAGES), page.evaluate(WIDE_TABLES)
        seen.figures, seen.wide_drawings = page.evaluate(FIGURES), page.evaluate(WIDE_DRAWINGS)
        for width, pixels in WIDTHS.items():
            page.set_viewport_size({"width": pixels, "height": 900})
            page.wait_for_timeout(SETTLES)
            seen.sideways[width] = page.evaluate(SIDEWAYS)
            seen.small_text += page.evaluate(SMALL_TEXT)
            seen.lost_figures += page.evaluate(LOST_FIGURES)
            # A scheme changes colours only.
            seen.findings[width] = grave_findings(page) if self.scheme == "light" else poor_contrast(page)
        page.close()
        return seen

    def _watch(self, page: Any, seen: Seen) -> None:
        def note_request(request: Any) -> None:
            if not request.url.startswith((self.base, "data:", "blob:")):
                seen.foreign.append(request.url)

        def note_bytes(event: dict[str, Any]) -> None:
            seen.transferred += round(event["encodedDataLength"])

        page.on("console", lambda said: seen.messages.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.messages.append(str(error)))
        page.on("request", note_request)
        page.on("requestfailed", lambda request: seen.failed.append(request.url))
        page.on("response", lambda answer: seen.failed.append(answer.url) if answer.status >= 400 else None)
        network = self.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", note_bytes)


def grave_findings(page: Any) -> list[str]:
    """Return the critical and serious findings of all rules of axe."""
    return _findings(page, {})


def poor_contrast(page: Any) -> list[str]:
    """Return axe's findings on contrast."""
    return _findings(page, {"runOnly": ["color-contrast"]})


def _findings(page: Any, options: dict[str, Any]) -> list[str]:
    """Return the grave findings of axe: rule, number of places, and the first of them.

    The contrast is that of one text of each kind: to look at each text takes minutes.
    """
    from axe_playwright_python.base import AXE_SCRIPT
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(MARK_KINDS)
    usual = {"resultTypes": ["violations"], "preload": False}  # else axe loads every style sheet again
    found = Axe(AXE_SCRIPT + ONE_OF_EACH_KIND).run(page, None, {**usual, **options}).response["violations"]
    return [
        f"{each['id']}: {len(each['nodes'])} places, such as {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in GRAVE
    ]


class _Anchors(HTMLParser):
    """Collects the targets of links and the names that links can point to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.names.update(filter(None, (found.get("id"), found.get("name") if tag == "a" else None)))
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))


def broken_links(name: str, anchors: dict[str, _Anchors]) -> list[str]:
    """Return the links of a page to files or places of the book that are not there."""
    return [link for link in anchors[name].links if not _exists(name, link, anchors)]


def _exists(name: str, link: str, anchors: dict[str, _Anchors]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    path = os.path.normpath(Path(name).parent / unquote(parts.path)) if parts.path else name
    if path not in anchors:
        return (HTML / path).is_file()
    return not parts.fragment or unquote(parts.fragment) in anchors[path].names


def read_anchors() -> dict[str, _Anchors]:
    """Return links and names of every page."""
    found = {}
    for name in book_pages():
        found[name] = _Anchors()
        found[name].feed((HTML / name).read_text(encoding="utf-8"))
    return found


def user_flags() -> list[str]:
    """Return the flag without which chromium does not start for root."""
    return ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
