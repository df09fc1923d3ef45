"""The first screen answers, the report weighs little and is ready soon, and leads all the way."""

import io
import itertools
import statistics
from types import SimpleNamespace

import pytest
from browsing import CONTENTS, PAGES, Links
from PIL import Image

FIRST = CONTENTS["root"]
HEADLINE = "#does-it-reproduce > .tag_headline"
ANSWERS = "#does-it-reproduce > .tag_answers"
TABLE = "#does-it-reproduce > .tag_at-a-glance"
FIGURE = "figure#introduction-claimed"
DRAWING = f"{FIGURE} img:visible"  # the one for light pages, or the one for dark ones
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture
def visit(browser):
    """Opens pages in a browser that has seen nothing before, and keeps what each has loaded."""
    contexts, loaded = [], {}

    def opened(url, width=1280, height=720, scheme="light"):
        view = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
        contexts.append(browser.new_context(**view))
        page = contexts[-1].new_page()
        page.on("requestfinished", lambda request: loaded.setdefault(page, []).append(request))
        page.goto(url, wait_until="load")
        return page

    opened.loaded = loaded
    yield opened
    for context in contexts:
        context.close()


def box(page, selector):
    """Left, top, right and bottom of an element, in pixels of the screen."""
    found = page.locator(selector).bounding_box()
    left, top = found["x"], found["y"]
    return left, top, left + found["width"], top + found["height"]


# ---- the first screen ---------------------------------------------------------------------------


@SCHEMES
def test_a_laptop_shows_answer_table_and_figure_without_scrolling(address, visit, scheme):
    page = visit(f"{address}/{FIRST}.html", scheme=scheme)
    for part in (HEADLINE, ANSWERS, TABLE, FIGURE):
        left, top, right, bottom = box(page, part)
        assert (left >= 0, top >= 0, right <= 1280, bottom <= 720) == (True,) * 4, part
    assert box(page, TABLE)[2] <= box(page, DRAWING)[0]
    assert page.locator(DRAWING).evaluate("image => image.naturalWidth") > 0


@SCHEMES
def test_a_phone_shows_the_answer_first_and_the_rest_below(address, visit, scheme):
    page = visit(f"{address}/{FIRST}.html", 390, 844, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    parts = [box(page, part) for part in (HEADLINE, ANSWERS, TABLE, FIGURE)]
    assert parts[1][3] <= 844
    assert all(above[3] <= below[1] for above, below in itertools.pairwise(parts))


def test_the_first_page_keeps_its_anchors(report):
    anchors = Links((report / f"{FIRST}.html").read_text()).anchors
    assert anchors >= {
        "does-it-reproduce",
        "introduction-claimed",
        "introduction-at-a-glance",
        "what-the-paper-concludes",
        "introduction-key",
        "what-the-paper-does-not-say",
        "how-to-read-this-report",
        "the-paper-s-figures-and-tables-in-this-report",
        "introduction-places",
    }


# ---- weight -------------------------------------------------------------------------------------


def receive(browser, url):
    """What comes over the wire with a page, to a browser that has seen nothing before."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page, requests, errors = context.new_page(), [], []
    page.on("requestfinished", lambda one: requests.append(one))
    page.on("requestfailed", lambda one: errors.append(one.url))
    page.on("response", lambda one: one.status >= 400 and errors.append(one.url))
    page.on("pageerror", lambda one: errors.append(str(one)))
    page.on("console", lambda one: one.type == "error" and errors.append(one.text))
    page.goto(url, wait_until="networkidle")
    bodies = [one.sizes()["responseBodySize"] for one in requests if one.url.startswith("http")]
    received = SimpleNamespace(
        urls=[one.url for one in requests],
        errors=errors,
        bytes=sum(bodies),
        cookies=context.cookies(),
    )
    context.close()
    return received


@pytest.fixture(scope="module")
def served(address, browser):
    """What comes with each page, by its name."""
    names = [*PAGES, "search", "genindex"]
    return {name: receive(browser, f"{address}/{name}.html") for name in names}


def test_a_page_weighs_little(served, report):
    for name in PAGES:
        found = served[name].bytes
        assert (report / f"{name}.html").stat().st_size < found, name  # or not all was counted
        assert found <= (10**6 if name == FIRST else 3 * 10**6), name


def test_a_served_report_asks_no_other_host_and_keeps_no_cookie(address, served):
    for name, received in served.items():
        assert [url for url in received.urls if not url.startswith((address, "data:"))] == [], name
        assert received.errors == [], name
        assert received.cookies == [], name


def test_the_first_page_is_ready_within_two_seconds(address, visit):
    painted = """async image => {
        await image.decode();
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        return performance.now();
    }"""
    times = [visit(f"{address}/{FIRST}.html").locator(DRAWING).evaluate(painted) for _ in range(3)]
    assert statistics.median(times) <= 2000


# ---- icons --------------------------------------------------------------------------------------

ICONS = """[...document.querySelectorAll('[class*="fa-"]')]
    .filter(icon => icon.checkVisibility())
    .map(icon => [icon.className, icon.getBoundingClientRect()])
    .filter(([_, {left, top}]) => left >= 0 && top >= 0 && left < innerWidth && top < innerHeight)
    .map(([name, {left, top, right, bottom}]) => [name, [left, top, right, bottom]])"""


@SCHEMES
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", [FIRST, "pages/deep", "search"])
def test_every_icon_is_drawn(address, visit, name, width, scheme):
    page = visit(f"{address}/{name}.html", width, 844, scheme)
    page.evaluate("document.fonts.ready")
    screen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    icons = page.evaluate(ICONS)
    assert len(icons) >= 3
    for classes, (left, top, right, bottom) in icons:
        assert right - left > 8, classes
        assert bottom - top > 8, classes
        colours = screen.crop((round(left), round(top), round(right), round(bottom))).getcolors()
        assert colours is None or len(colours) > 1, classes  # None: more than can be counted
    assert not [one.url for one in visit.loaded[page] if "fontawesome.js" in one.url]


# ---- what works without the scripts that are left out -------------------------------------------


@pytest.mark.parametrize("served", [True, False])
def test_the_search_box_of_the_first_page_finds_dropout(address, report, visit, served):
    page = visit(f"{address if served else report.as_uri()}/{FIRST}.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("dropout")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() >= 3


def test_the_buttons_of_a_page_work(address, visit):
    page = visit(f"{address}/{FIRST}.html")
    mode = page.evaluate("document.documentElement.dataset.mode")
    page.locator(".bd-header-article .theme-switch-button").click()
    assert page.evaluate("document.documentElement.dataset.mode") != mode
    page.locator(".dropdown-download-buttons > button").click()
    assert page.locator(".dropdown-download-buttons .dropdown-menu").is_visible()
    page.locator(".bd-header-article .primary-toggle").click()
    page.locator("#pst-primary-sidebar").wait_for(state="hidden")
    page.locator(".btn-fullscreen-button").click()
    page.wait_for_function("document.fullscreenElement !== null")


@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_a_phone_opens_the_lists_of_pages_and_of_contents(address, visit, side):
    page = visit(f"{address}/pages/deep.html", 390, 844)
    page.locator(f".{side}-toggle").click()
    links = page.locator(f"#pst-{side}-sidebar-modal a")
    assert links.nth(3).is_visible()
    page.keyboard.press("Escape")
    links.nth(3).wait_for(state="hidden")


def test_folded_code_opens_and_commands_can_be_copied(address, visit):
    page = visit(f"{address}/pages/shallow.html")
    folded = page.locator("details.hide").first
    folded.locator("summary").click()
    assert folded.locator("pre").first.is_visible()
    assert visit(f"{address}/reproduce.html").locator("button.copybtn").count() > 0


# ---- the way through ----------------------------------------------------------------------------


def test_the_parts_stand_in_the_order_of_questions():
    assert [part["caption"] for part in CONTENTS["parts"]] == [
        "Does it hold?",
        "What is the data?",
        "The three networks",
        "How do they compare?",
        "Where does the paper disagree with itself?",
        "What the paper leaves to others",
        "Do it yourself",
        "Every run",
    ]


def test_next_leads_from_the_first_page_through_all_and_previous_back(address, visit):
    page, seen = visit(f"{address}/{FIRST}.html"), [FIRST]
    while page.locator("a.right-next").count():
        before = page.url
        page.locator("a.right-next").click()
        page.wait_for_url(lambda url, before=before: url != before)
        assert page.locator("a.left-prev").evaluate("link => link.href") == before
        seen.append(page.url.removeprefix(f"{address}/").removesuffix(".html"))
    assert seen == PAGES
