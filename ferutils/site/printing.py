"""The built report -> PDF, printed by Chromium: its pages as one document, and a summary.

Reads the folder of the built report; writes each PDF whole or not at all. What Jupyter Book's
`pdfhtml` lacks: bookmarks, page numbers, opened boxes, and a browser other than Playwright's own.
Used as `python -m ferutils.site.printing HTML_FOLDER PDF SUMMARY_PDF`.
"""

import io
import posixpath
import shutil
import sys
from html import escape
from importlib.metadata import version
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from pypdf import PdfWriter

from ferutils import storage
from ferutils.records import provenance

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TOGETHER = ".printed.html"  # for as long as the printing takes
# The sections of the first page that lead through the report, which its summary does without.
WAYS = (
    "how-to-read-this-report",
    "the-paper-s-figures-and-tables-in-this-report",
    "where-these-numbers-come-from",
)
# Milliseconds: a machine that trains beside leaves a browser little time.
PATIENCE = 300_000
SETTINGS = {
    "format": "A4",
    "margin": {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
    "print_background": True,
    "tagged": True,  # for screen readers
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": (
        '<div style="width: 100%; text-align: center; font: 8px sans-serif">'
        '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
    ),
}


def browser() -> str | None:
    """Where Chromium is, or Chrome; None where neither is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def names(html: Path) -> list[str]:
    """The pages of a built report in the order of its contents, without their suffix.

    Args:
        html: the folder of the built report.
    """
    refresh = _soup(html / "index.html").select_one("meta[http-equiv=refresh i]")
    first = refresh["content"].partition("url=")[2]
    links = _soup(html / first).select("nav.bd-links a.reference.internal")
    targets = [first if link["href"] == "#" else _target(first, link["href"]) for link in links]
    return [target.removesuffix(".html") for target in targets]


def together(html: Path) -> str:
    """All pages of a built report as one document: its title, its contents, then page by page.

    Anchors get their page's name, because pages use the same ones; links to pages become links
    within the document.

    Args:
        html: the folder of the built report.
    """
    pages = names(html)
    articles = [_article(html, page, set(pages)) for page in pages]
    return _document(html, pages[0], _contents(_title(html, pages[0]), articles), *articles)


def summary(html: Path) -> str:
    """The first page of a built report as a document, under a line that names the report.

    Args:
        html: the folder of the built report.
    """
    first = names(html)[0]
    article = _article(html, first, {first})
    for section in article.select(", ".join(f"#{_anchor(first, one)}" for one in WAYS)):
        section.decompose()
    about = f"{_title(html, first)}, version {version('ferutils')}: the report in short"
    source = " · ".join(filter(None, [about, provenance.site()]))
    article.insert(0, _parsed(f"<p>{escape(source, quote=False)}</p>"))
    return _document(html, first, article)


def _title(html: Path, first: str) -> str:
    page = _soup(html / f"{first}.html")
    return page.select_one(".navbar-brand .title, .logo__title").get_text(strip=True)


def _document(html: Path, first: str, *parts: Tag) -> str:
    """Parts as one document that looks as the report's first page does, and runs nothing."""
    whole = _soup(html / f"{first}.html")
    for script in whole("script"):
        script.decompose()
    for name in ("href", "src"):  # of the head
        for tag in whole.head.find_all(attrs={name: True}):
            tag[name] = _target(first, tag[name])
    body = _parsed('<body class="printed"><main class="bd-content"></main></body>')
    body.main.extend(parts)
    whole.body.replace_with(body)
    whole.title.string = _title(html, first)
    whole.html["data-theme"] = "light"
    return str(whole)


def write(html: Path, pdf: Path, short: Path) -> None:
    """Print the whole report, and its summary.

    Args:
        html: the folder of the built report.
        pdf: the file to write.
        short: the file to write the summary into.

    Raises:
        ValueError: no browser is installed.
    """
    if browser() is None:
        raise ValueError(
            f"Expected one of {', '.join(BROWSERS)} to print the report. Received: none in PATH. "
            "Install Chromium (on Debian: apt-get install chromium)."
        )
    file = html / TOGETHER
    for path, document in ((pdf, together(html)), (short, summary(html))):
        file.write_text(document, encoding="utf-8")
        try:
            storage.write_whole(path, _bookmarked(_printed(file), document))
        finally:
            file.unlink()


def _printed(file: Path) -> bytes:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # --no-sandbox: what is opened is our own, and containers have no user to sandbox with.
        chromium = playwright.chromium.launch(
            executable_path=browser(), args=["--no-sandbox"], timeout=PATIENCE
        )
        page = chromium.new_page(color_scheme="light", offline=True)
        page.set_default_timeout(PATIENCE)
        page.goto(file.resolve().as_uri(), wait_until="load")
        return page.pdf(**SETTINGS)


def _bookmarked(printed: bytes, document: str) -> bytes:
    """The PDF with a bookmark for each page of the report.

    Chromium's own bookmarks repeat the words of headings that it moved to the next sheet.
    """
    writer = PdfWriter(clone_from=io.BytesIO(printed))
    places = writer.named_destinations
    for link in _parsed(document).select(".printed-contents a"):
        place = places["/" + link["href"].removeprefix("#")]
        writer.add_outline_item(link.get_text(), writer.get_destination_page_number(place))
    whole = io.BytesIO()
    writer.write(whole)
    return whole.getvalue()


def _article(html: Path, page: str, pages: set[str]) -> Tag:
    """What stands on a page, with anchors and links that hold in the whole document."""
    article = _soup(html / f"{page}.html").select_one("article.bd-article")
    for tag in article.find_all(id=True):
        tag["id"] = _anchor(page, tag["id"])
    for link in article.find_all("a", href=True):
        link["href"] = _link(page, link["href"], pages)
        if not link["href"].startswith(("#", "http")):
            link.unwrap()  # a file beside the pages, which the paper does not have
    for tag in article.find_all(src=True):
        tag["src"] = _target(page, tag["src"])
        tag.attrs.pop("loading", None)  # printing does not scroll to what is loaded late
    for needless in article.select("script, style, .headerlink, .copybtn, .downloads"):
        needless.decompose()
    for folded in article.select("details:not(.hide)"):  # code stays on the screen
        folded["open"] = ""
    for heading in article.select("h2, h3"):
        following = heading.find_next_sibling()
        if following and following.find("figure"):  # browsers would leave the heading alone
            heading.wrap(Tag(name="div", attrs={"class": "unbroken"})).append(following)
    article["id"] = _anchor(page, "")
    return article


def _link(page: str, target: str, pages: set[str]) -> str:
    """A link of a page, led to the place in the whole document where that is in it."""
    path, _, anchor = target.partition("#")
    other = _target(page, path).removesuffix(".html") if path else page
    return f"#{_anchor(other, anchor)}" if other in pages else _target(page, target)


def _target(page: str, target: str) -> str:
    """What a page refers to, from the folder of the report."""
    if ":" in target.partition("#")[0]:
        return target
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def _anchor(page: str, anchor: str) -> str:
    return f"{page.replace('/', '-')}--{anchor}"


def _contents(title: str, articles: list[Tag]) -> BeautifulSoup:
    """The first page: the title of the report, and a link to each page by its own."""
    listed = ""
    for article in articles:
        name = escape(" ".join(article.h1.get_text().split()), quote=False)
        listed += f'<li><a href="#{article["id"]}">{name}</a></li>'
    title = f'<p class="printed-title">{escape(title, quote=False)}</p>'
    return _parsed(f'<nav class="printed-contents">{title}<ol>{listed}</ol></nav>')


def _soup(file: Path) -> BeautifulSoup:
    return _parsed(file.read_text(encoding="utf-8"))


def _parsed(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
