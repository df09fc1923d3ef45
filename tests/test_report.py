"""The built report: complete, linked, without a trace of the machine, sound in a real browser."""

import getpass
import re
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import BROKEN_IMAGES, PAGES, Links, snakemake

from ferutils import paths


def test_a_second_build_has_nothing_to_do(report):
    again = snakemake("book")
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(report, page):
    file = report / f"{page}.html"
    for target in Links(file.read_text()).targets - {None, "", "#"}:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        path = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        assert path.is_file(), f"{page}: {target}"
        if parts.fragment and path.suffix == ".html":
            assert unquote(parts.fragment) in Links(path.read_text()).anchors, f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_neither_user_nor_host_nor_path_and_shows_no_raw_object(report, page):
    text = (report / f"{page}.html").read_text()
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


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_opens_from_disk_with_no_error_and_no_request_elsewhere(
    report, browser, width, scheme
):
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    for name in PAGES:
        page, requests, errors = context.new_page(), [], []
        page.on("request", lambda request, seen=requests: seen.append(request.url))
        page.on("pageerror", lambda error, seen=errors: seen.append(str(error)))
        page.on(
            "console",
            lambda message, seen=errors: message.type == "error" and seen.append(message.text),
        )
        page.goto(f"file://{report}/{name}.html", wait_until="load")
        assert errors == [], name
        assert [url for url in requests if urlsplit(url).scheme not in ("file", "data")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(BROKEN_IMAGES) == [], name
        page.close()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_keeps_a_reader_out(report, browser, scheme):
    """WCAG 2.1, A and AA, as far as axe can see."""
    levels = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    context = browser.new_context(color_scheme=scheme)
    for name in PAGES:
        page = context.new_page()
        page.goto(f"file://{report}/{name}.html", wait_until="load")
        found = Axe().run(page, options={"runOnly": levels})
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        page.close()
    context.close()


def test_search_finds_dropout(report, browser):
    page = browser.new_page()
    page.goto(f"file://{report}/search.html?q=dropout", wait_until="load")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() >= 3
    page.close()
