"""Terms lead to the glossary; references show where they lead, by mouse, keyboard and finger."""

from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PAGES, WCAG, Reader, sphinx
from bs4 import BeautifulSoup

CONFIG = """
extensions = ["myst_parser", "sphinx_design", "terms", "previews"]
myst_enable_extensions = ["colon_fence"]
html_theme = "sphinx_book_theme"
numfig = True
exclude_patterns = ["_build"]
"""
GLOSSARY = """# Glossary

```{glossary}
seed
  The first number, see [the page](index.md).

seed variance
  How far *seeds* lie apart.

Sam's test
  A test.
```
"""
INDEX = """# A seed here

```{toctree}
glossary
other
```

`seed` and [seed](other.md), seedling, then Seeds, seed variance and the seed's; Sam's test.

:::{div} origin
Sam's test of a seed.
:::

{numref}`a-table`
"""
OTHER = """# Other

```{dropdown} What a seed is
Nothing.
```

| seed |
| --- |
| seed |

```{table} Of a seed
:name: a-table

| Left | Right |
| --- | --- |
| 1 | [first](index.md) |
| 2 | second |
| 3 | third |
| 4 | fourth |
| 5 | fifth |
```
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The pages of a small book, by name."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "conf.py").write_text(CONFIG)
    for name, text in {"index": INDEX, "glossary": GLOSSARY, "other": OTHER}.items():
        (folder / f"{name}.md").write_text(text)
    # The text of a template is text to be read here.
    read = partial(BeautifulSoup, features="html.parser", string_containers={})
    return {name: read(text) for name, text in sphinx(folder, "-W").items()}


def terms(page):
    return {link.get_text(): link["href"] for link in page.select("a.term")}


@pytest.mark.slow
def test_the_first_use_of_a_term_leads_to_its_entry_in_any_form(small):
    assert terms(small["index"]) == {
        "Seeds": "glossary.html#term-seed",
        "seed variance": "glossary.html#term-seed-variance",
        "Sam’s test": "glossary.html#term-Sam-s-test",
    }


@pytest.mark.slow
def test_heads_cells_code_links_and_the_glossary_itself_have_no_links_to_terms(small):
    assert not small["other"].select("summary a")  # of two controls in one, one cannot be reached
    assert terms(small["other"]) == {"seed": "glossary.html#term-seed"}
    assert small["other"].select_one("caption a.term")
    assert terms(small["glossary"]) == {}


def previews(page):
    template = page.find(id="previews")  # into which a selector does not look
    return {part["data-of"]: part for part in template.find_all("div", recursive=False)}


@pytest.mark.slow
def test_a_page_holds_what_its_references_show_without_links_and_anchors(small):
    found = previews(small["index"])
    assert set(found) == {"other.html#a-table", *terms(small["index"]).values()}
    assert found["glossary.html#term-seed"].get_text(" ", strip=True) == (
        "seed The first number, see the page ."
    )
    for part in found.values():
        assert not [tag for tag in part(True) if tag.name in ("a", "script") or tag.get("id")]
    assert small["glossary"].find(id="previews") is None
    assert not small["glossary"].select("script[src$='previews.js']")


@pytest.mark.slow
def test_of_a_long_table_the_first_rows_are_shown(small):
    table = previews(small["index"])["other.html#a-table"]
    assert [row.td.get_text() for row in table.tbody("tr")] == ["1", "2", "3"]
    assert table.get_text(strip=True).endswith("… and 2 more rows")
    assert "Of a seed" in table.caption.get_text()


# ---- the report ---------------------------------------------------------------------------------


def test_every_term_of_the_glossary_is_used_on_a_page(report):
    glossary = BeautifulSoup((report / "glossary.html").read_text(), "html.parser")
    entries = {term["id"] for term in glossary.select(".glossary dt")}
    used = set()
    for page in PAGES:
        links = BeautifulSoup((report / f"{page}.html").read_text(), "html.parser")
        used |= {link["href"].partition("#")[2] for link in links.select("a.term")}
    assert used == entries


COMPARISON, FIRST = "pages/comparison.html", "pages/introduction.html"
SEEN = [
    (COMPARISON, "a.term[href$='#term-Brier-score']", "Brier score"),
    (COMPARISON, "a[href*='bibliography.html#']", "2017"),
    (FIRST, "#introduction-places a[href$='#improved-curves']", "Accuracy and loss by epoch"),
    (FIRST, "#introduction-places a[href$='#comparison-table-3']", "training loss"),
]
seen = pytest.mark.parametrize(("page", "selector", "words"), SEEN, ids=[one[2] for one in SEEN])


def card(page):
    return page.locator("#preview")


def check_whole(page, width, height=900):
    """The card is on the screen, whole, and hides nothing of its reference."""
    found = card(page).bounding_box()
    assert found["x"] >= 0 and found["x"] + found["width"] <= width
    assert found["y"] >= 0 and found["y"] + found["height"] <= height
    at = page.locator("[aria-describedby=preview]").evaluate("a => a.getClientRects()[0].toJSON()")
    assert found["y"] >= at["bottom"] or found["y"] + found["height"] <= at["top"]


@seen
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_mouse_sees_where_a_reference_leads_and_can_move_there(
    report, browser, page, selector, words, scheme
):
    reader = Reader(browser, scheme=scheme)
    opened = reader.open(report / page)
    reference = opened.locator(selector).first
    reference.hover()
    card(opened).wait_for()
    assert words in card(opened).inner_text()
    for image in card(opened).locator("img:visible").all():
        image.evaluate("image => image.decode()")
        assert ("-dark" in image.get_attribute("src")) == (scheme == "dark")
    check_whole(opened, 1280)
    card(opened).hover()
    opened.wait_for_timeout(500)
    assert card(opened).is_visible()
    reader.check()  # before axe asks for style sheets
    assert Axe().run(opened, options={"runOnly": WCAG}).violations_count == 0
    opened.mouse.move(640, 5)
    card(opened).wait_for(state="hidden")
    assert reference.get_attribute("aria-describedby") is None
    reader.context.close()


@seen
@pytest.mark.parametrize("width", [1280, 320])
def test_the_keyboard_sees_it_on_focus_until_escape(report, browser, page, selector, words, width):
    reader = Reader(browser, width)
    opened = reader.open(report / page)
    reference = opened.locator(selector).first
    reader.tab_to(reference)
    assert words in card(opened).inner_text()
    assert reference.get_attribute("aria-describedby") == "preview"
    check_whole(opened, width)
    opened.keyboard.press("Escape")
    assert card(opened).is_hidden()
    opened.keyboard.press("Tab")
    opened.keyboard.press("Shift+Tab")
    assert card(opened).is_visible()
    reader.check()
    target = reference.evaluate("link => link.href")
    opened.keyboard.press("Enter")
    opened.wait_for_url(target)
    reader.context.close()


@seen
def test_a_finger_follows_the_link(report, browser, page, selector, words):
    reader = Reader(browser, 390, has_touch=True, is_mobile=True)
    opened = reader.open(report / page)
    reference = opened.locator(selector).first
    target = reference.evaluate("link => link.href")
    reference.tap()
    opened.wait_for_url(target)
    reader.context.close()


def test_without_scripts_a_reference_is_a_link(report, browser):
    reader = Reader(browser, java_script_enabled=False)
    opened = reader.open(report / COMPARISON)
    opened.locator(SEEN[0][1]).first.hover()
    assert not card(opened).count()
    opened.locator(SEEN[0][1]).first.click()
    assert opened.url.endswith("glossary.html#term-Brier-score")
    reader.context.close()
