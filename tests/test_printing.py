"""The whole report on paper: complete, with its tables, figures and links."""

import re
import unicodedata

import pytest
from browsing import PAGES
from bs4 import BeautifulSoup
from helpers import EXPLAINED, each
from pypdf import PdfReader

from ferutils.site import printing

HEAD = """<html><head><title>First</title><link href="{up}_static/report.css">
<script src="x.js"></script></head><body>"""
MENU = """
<a class="navbar-brand"><p class="title">A small report</p></a>
<nav class="bd-links"><a class="reference internal" href="#">First</a>
<a class="reference internal" href="../other.html">Other</a></nav>
"""
FIRST = """<article class="bd-article"><h1 id="same">First</h1><script>alert(1)</script>
<a href="../other.html#same">there</a> <a href="#same">here</a> <a href="../other.html">page</a>
<a href="https://example.org/#x">outside</a>
<img src="../_images/one.svg" loading="lazy"></article>"""
OTHER = '<article class="bd-article"><h1 id="same">Other <i>page</i></h1></article>'


@pytest.fixture
def small(tmp_path):
    """A built report of two pages, the first of them in a folder."""
    (tmp_path / "pages").mkdir()
    go = '<meta http-equiv="Refresh" content="0; url=pages/first.html" />'
    (tmp_path / "index.html").write_text(go)
    (tmp_path / "pages" / "first.html").write_text(HEAD.format(up="../") + MENU + FIRST)
    (tmp_path / "other.html").write_text(HEAD.format(up="") + MENU + OTHER)
    return tmp_path


def test_the_pages_stand_in_the_order_of_the_contents(small):
    assert printing.names(small) == ["pages/first", "other"]
    whole = BeautifulSoup(printing.together(small), "html.parser")
    assert [title.get_text() for title in whole("h1")] == ["First", "Other page"]
    listed = whole.select(".printed-contents a")
    assert [(link.get_text(), link["href"]) for link in listed] == [
        ("First", "#pages-first--"),
        ("Other page", "#other--"),
    ]
    assert whole.select_one(".printed-title").get_text() == "A small report"


def test_links_between_pages_lead_to_their_place_in_the_whole(small):
    whole = BeautifulSoup(printing.together(small), "html.parser")
    links = [link["href"] for link in whole.select("article a")]
    assert links == ["#other--same", "#pages-first--same", "#other--", "https://example.org/#x"]
    anchors = [tag["id"] for tag in whole.find_all(id=True)]
    assert len(anchors) == len(set(anchors))
    assert {link[1:] for link in links if link.startswith("#")} <= set(anchors)


def test_styles_and_images_are_found_from_the_folder_of_the_report_and_nothing_runs(small):
    whole = BeautifulSoup(printing.together(small), "html.parser")
    assert whole.head.link["href"] == "_static/report.css"
    assert whole.img["src"] == "_images/one.svg" and "loading" not in whole.img.attrs
    assert not whole("script")


def test_the_summary_is_the_first_page_without_what_leads_elsewhere(small):
    whole = BeautifulSoup(printing.summary(small), "html.parser")
    assert [title.get_text() for title in whole("h1")] == ["First"]
    assert whole.select_one("article > p").get_text().startswith("A small report, version ")
    assert [link["href"] for link in whole.select("article a")] == [
        "#pages-first--same",
        "https://example.org/#x",
    ]


def test_without_a_browser_it_says_what_to_install(small, monkeypatch):
    monkeypatch.setattr(printing, "BROWSERS", ("no-such-browser",))
    with pytest.raises(ValueError, match=EXPLAINED):
        printing.write(small, small / "report.pdf", small / "summary.pdf")
    assert {path.name for path in small.glob("*")} == {"index.html", "other.html", "pages"}


@pytest.fixture(scope="module")
def pdf(report):
    if printing.browser() is None:
        pytest.skip("no Chromium: apt install chromium")
    return PdfReader(report / "report.pdf")


@pytest.fixture(scope="module")
def words(pdf):
    """All text of the PDF."""
    return squeezed("\n".join(page.extract_text() for page in pdf.pages))


def squeezed(text):
    """A text without any space and ligature, because a PDF breaks lines and joins letters."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def page_of(report, name):
    return BeautifulSoup((report / f"{name}.html").read_text(), "html.parser").article


def test_all_pages_of_the_report_are_printed_and_bookmarked(report, pdf):
    titles = [squeezed(one.title) for one in pdf.outline if not isinstance(one, list)]
    expected = [page_of(report, name).h1 for name in PAGES]
    for title in expected:
        title.select_one(".headerlink").decompose()
    assert titles == [squeezed(title.get_text()) for title in expected]


@each("page", PAGES)
def test_every_caption_is_printed(report, words, page):
    article = page_of(report, page)
    for files in article.select(".downloads"):
        files.decompose()
    assert all(squeezed(caption.get_text()) in words for caption in article.select(".caption-text"))


def test_table_3_is_printed_as_it_stands_in_the_book(report, words):
    rows = page_of(report, "pages/comparison").select("#comparison-table-3 tr")
    assert len(rows) > 12
    for row in rows:
        assert squeezed("".join(cell.get_text() for cell in row(["th", "td"]))) in words


def test_every_link_leads_to_a_place_in_the_document_or_to_the_web(pdf):
    places, web = 0, 0
    for page in pdf.pages:
        for link in page.get("/Annots", []):
            link = link.get_object()
            if "/Dest" in link:
                name = link["/Dest"]
                assert name in pdf.named_destinations if isinstance(name, str) else name
                places += 1
            elif "/A" in link:
                assert link["/A"]["/URI"].startswith(("https://", "http://"))
                web += 1
    assert places > len(pdf.pages) and web


def test_the_summary_has_two_pages_with_the_first_figure_and_what_the_paper_concludes(report, pdf):
    short = PdfReader(report / "summary.pdf")
    assert len(short.pages) == 2
    words = squeezed("\n".join(page.extract_text() for page in short.pages))
    first = page_of(report, PAGES[0])
    kept = ("#does-it-reproduce > h1", "#introduction-claimed .caption-text")
    for selector in (*kept, "#introduction-key .caption-text"):
        assert squeezed(first.select_one(selector).get_text().removesuffix("#")) in words
    for section in printing.WAYS:
        title = first.select_one(f"#{section} h2").get_text().removesuffix("#")
        assert squeezed(title) not in words


def test_the_paper_names_no_folder_of_the_machine(report, pdf, words):
    assert squeezed(str(report.parents[1])) not in words
    assert str(report) not in str(pdf.metadata)
