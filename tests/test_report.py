"""The built report: complete, linked, without a trace of the machine, sound in a real browser."""

import functools
import getpass
import gzip
import re
import socket
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import BROKEN_IMAGES, NEEDS, PAGES, WCAG, Links, Reader, snakemake
from helpers import each

from ferutils import paths

WIDE, NARROW = 1280, 390
PAGE_BYTES = 3_000_000
every_page = each("page", PAGES)


def test_a_second_build_has_nothing_to_do(report):
    again = snakemake("book")
    assert "Nothing to be done" in again.stdout + again.stderr


@functools.cache
def anchors(file):
    return Links(file.read_text()).anchors


@every_page
def test_every_link_of_a_page_leads_somewhere(report, page):
    file = report / f"{page}.html"
    for target in Links(file.read_text()).targets - {None, "", "#"}:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        path = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        assert path.is_file(), f"{page}: {target}"
        if parts.fragment and path.suffix == ".html":
            assert unquote(parts.fragment) in anchors(path), f"{page}: {target}"


@every_page
def test_a_page_names_neither_user_nor_host_nor_path_and_shows_no_raw_object(report, page):
    text = (report / f"{page}.html").read_text()
    text = re.sub(r"[\w+/]{100,}", "", text)  # a network's weights, in which any letters may meet
    words = re.sub(r"<[^>]+>", " ", text)
    for trace in (str(paths.ROOT), str(Path.home()), socket.gethostname(), "IPython.core"):
        assert trace not in text
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b", words)
    assert "Traceback" not in words


def test_the_first_page_leads_to_the_report(report):
    assert "pages/introduction.html" in (report / "index.html").read_text()


def test_the_papers_figures_and_tables_are_all_placed(report):
    text = (report / "pages" / "introduction.html").read_text()
    for place in [f"Figure {n}" for n in range(1, 9)] + [f"Table {n}" for n in range(1, 4)]:
        assert re.search(rf"<p>{place}</p>.*?<a class=\"reference internal\"", text, re.DOTALL)


def meet(browser, file, width, scheme):
    """What a reader meets who opens a page; on a wide screen, in the other theme too."""
    reader = Reader(browser, width, scheme)
    page = reader.open(file)
    met = SimpleNamespace(
        errors=list(reader.errors),  # before axe asks for more
        overflow=page.evaluate("document.documentElement.scrollWidth") - width,
        broken_images=page.evaluate(BROKEN_IMAGES),
        urls=list(reader.requests),
        barriers=[],
    )
    if width == WIDE:
        met.barriers.append(Axe().run(page, options={"runOnly": WCAG}))
        page.emulate_media(color_scheme="dark")
        page.wait_for_selector("html[data-theme=dark]")
        page.evaluate("Promise.all(document.getAnimations().map(one => one.finished))")
        met.barriers.append(Axe().run(page, options={"runOnly": ["color-contrast"]}))
    reader.context.close()
    return met


@pytest.fixture(scope="module")
def opened(report, browser):
    """What a reader meets on opening each page from disk, by page, width and theme."""
    views = [(WIDE, "light"), (NARROW, "dark")]
    return {
        (page, *view): meet(browser, report / f"{page}.html", *view)
        for page in PAGES
        for view in views
    }


def test_every_page_opens_from_disk_with_no_error_and_no_request_elsewhere(opened):
    for where, met in opened.items():
        assert met.errors == [], where
        assert [url for url in met.urls if urlsplit(url).scheme not in ("file", "data")] == [], (
            where
        )
        assert met.overflow <= 0, where
        assert met.broken_images == [], where


def test_no_page_keeps_a_reader_out(opened):
    """WCAG 2.1, A and AA, as far as axe can see."""
    for where, met in opened.items():
        for found in met.barriers:
            assert found.violations_count == 0, (where, found.generate_report())


@functools.cache
def packed(file):
    """The bytes of a file as a server sends it."""
    return len(gzip.compress(Path(file).read_bytes()))


def test_a_page_weighs_little_over_the_wire_with_all_its_pictures(opened):
    for (page, width, scheme), met in opened.items():
        files = {unquote(urlsplit(url).path) for url in met.urls if url.startswith("file:")}
        assert sum(map(packed, files)) < PAGE_BYTES, (page, width, scheme)


def test_only_pages_with_interactive_parts_load_their_scripts(report, opened):
    for (page, *view), met in opened.items():
        text = (report / f"{page}.html").read_text()
        parts = {kind for kind in NEEDS if f'data-interactive="{kind}"' in text}
        static = [url.split("_static/")[1] for url in met.urls if "_static/" in url]
        loaded = {one.split("?")[0] for one in static}
        own = {one for one in loaded if one.startswith(("interactive/", "vendor/d3"))}
        needed = {script for kind in parts for script in NEEDS[kind]}
        needed |= {"interactive/previews.js"} if '<template id="previews">' in text else set()
        assert own == needed | ({"interactive/interactive.css"} if parts else set()), (page, view)
    assert "data-interactive" not in (report / "pages" / "introduction.html").read_text()


def test_search_finds_dropout(report, browser):
    page = browser.new_page()
    page.goto(f"file://{report}/search.html?q=dropout", wait_until="load")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() >= 3
    page.close()
