"""How the report is read: from a server, enlarged, on paper, with keys, by its links."""

from urllib.parse import urlsplit

import pytest
from browsing import PAGES


@pytest.fixture
def page(browser):
    one = browser.new_page(viewport={"width": 1280, "height": 720})
    yield one
    one.close()


# What is hidden beyond the rim, where nothing scrolls.
CUT_OFF = """() => [...document.querySelectorAll(".prev-next-area *")]
    .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.textContent.trim())"""


# 1280 pixels at 200 % are 640; WCAG 1.4.10 asks for 320, which are 400 %.
def test_enlarged_to_twice_and_four_times_nothing_runs_off_the_side(report, browser):
    context = browser.new_context()
    for name in PAGES:
        page = context.new_page()
        for width in (640, 320):
            page.set_viewport_size({"width": width, "height": 360})
            page.goto(f"file://{report}/{name}.html", wait_until="load")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            assert page.evaluate(CUT_OFF) == [], (name, width)
        page.close()
    context.close()


WIDER = """() => [...document.querySelectorAll(".bd-content table, .bd-content figure img")]
    .filter(one => one.offsetParent && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.id || one.src)"""


def test_on_paper_no_table_or_figure_is_cut_off(report, browser):
    # A4 less margins of 16 mm at 96 pixels an inch
    context = browser.new_context(viewport={"width": 673, "height": 986})
    for name in PAGES:
        page = context.new_page()
        page.goto(f"file://{report}/{name}.html", wait_until="load")
        page.emulate_media(media="print", color_scheme="light")
        assert page.evaluate(WIDER) == [], name
        page.close()
    context.close()


FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    return [one.textContent.trim(), style.outlineStyle !== "none" || style.boxShadow !== "none"];
}"""


def test_the_tab_key_leads_first_to_the_content_and_shows_where_it_is(report, page):
    page.goto(f"file://{report}/pages/claims.html", wait_until="load")
    page.keyboard.press("Tab")
    text, visible = page.evaluate(FOCUSED)
    assert "Skip to main content" in text and visible
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    inside = "document.querySelector('#main-content').contains(document.activeElement)"
    assert page.evaluate(inside)


def test_with_reduced_motion_nothing_moves(report, browser):
    page = browser.new_page(reduced_motion="reduce")
    page.goto(f"file://{report}/pages/introduction.html", wait_until="load")
    moving = """() => [...document.querySelectorAll("*")].filter(one => {
        const {transitionDuration, animationDuration} = getComputedStyle(one);
        return parseFloat(transitionDuration) > 0.01 || parseFloat(animationDuration) > 0.01;
    }).map(one => one.className)"""
    assert page.evaluate(moving) == []
    page.close()


def test_one_click_leads_from_a_claim_on_the_first_page_to_a_run_behind_it(report, page):
    page.goto(f"file://{report}/pages/introduction.html", wait_until="load")
    page.locator("#introduction-key a[href*='runs.html#run-']").first.click()
    page.wait_for_load_state()
    run = urlsplit(page.url).fragment
    assert run.startswith("run-") and page.locator(f"[id='{run}']").is_visible()
    assert run.removeprefix("run-") in page.locator(".particulars:visible .is-meant").inner_text()


@pytest.mark.parametrize(
    ("place", "name"), [("Figure 5", "deep-curves"), ("Table 3", "comparison-table-3")]
)
def test_the_map_leads_from_a_place_in_the_paper_to_its_place_here(report, page, place, name):
    page.goto(f"file://{report}/pages/introduction.html", wait_until="load")
    named = page.get_by_role("cell", name=place, exact=True)
    page.locator("#introduction-places tr", has=named).locator("a").click()
    page.wait_for_url(lambda url: url.endswith(f"#{name}"))
    assert page.locator(f"[id='{name}']").first.is_visible()
