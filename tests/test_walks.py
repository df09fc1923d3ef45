"""A reader's walks through the interactive parts, in a real browser, opened from disk.

With mouse and with the keyboard alone, wide and narrow, light and dark, and without JavaScript.
What the pages compute themselves is set beside what the package computes.
"""

import csv
import html
import itertools
from typing import get_args

import numpy as np
import pytest
import synthetic
from axe_playwright_python.sync_playwright import Axe
from browsing import NEEDS, WCAG, Reader
from helpers import fabricated
from scipy import stats
from synthetic import PUBLISHED, record

from ferutils import paths
from ferutils.claims import metrics, paper, verdicts
from ferutils.claims.paper import Verdict
from ferutils.records import recipes, runs
from ferutils.records import study as study_module
from ferutils.report import interactive, run_tables

STATIC = paths.BOOK / "_static"
MODELS = ("shallow", "improved", "deep")
VIEWS = list(itertools.product((1280, 390), ("light", "dark")))
SHALLOW = record("shallow")
IMPROVED = runs.Record(*fabricated(recipes.make(model="improved", seed=1), PUBLISHED, seed=1))


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def reader(browser, request):
    one = Reader(browser, *request.param)
    yield one
    one.check()
    one.context.close()


@pytest.fixture
def small_page(tmp_path, wide_reader):
    """Opens a page that has one interactive part and its static figure, and nothing else."""

    def address(name):
        return (STATIC / name).as_uri()

    def opened(kind, data):
        head = '<meta charset="utf-8">'
        head += f'<link rel="stylesheet" href="{address("interactive/interactive.css")}">'
        for script in NEEDS[kind]:
            head += f'<script defer src="{address(script)}"></script>'
        picture = '<img alt="Described" src="data:,"><figcaption>Said.</figcaption>'
        figure = f'<figure id="a-figure">{picture}</figure>'
        body = interactive.embedded(kind, data) + figure
        file = tmp_path / "page.html"
        file.write_text(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>")
        return wide_reader.open(file)

    return opened


def study():
    return study_module.read()


def table_texts(page, name):
    """The texts of a table of the report, row by row, head first."""
    script = """table => [...table.rows].map(
        row => [...row.cells].map(cell => cell.textContent.trim()))"""
    return page.locator(f"table#{name}").evaluate(script)


def frame_texts(frame):
    return [list(frame.columns), *frame.to_numpy().tolist()]


# ---- claims -------------------------------------------------------------------------------------


def claims(verdict=None):
    """The ids of the claims of a verdict, or of all, in the order of the page."""
    every = verdicts.findings(paper.load(), study())
    kinds = get_args(paper.About)
    return [
        f"claim-{one.claim.id}"
        for kind in kinds
        for one in verdicts.about(every, kind)
        if verdict in (None, one.verdict)
    ]


def shown_claims(page):
    """The ids of the claims that a page shows, from top to bottom."""
    return page.locator("details.claim:visible").evaluate_all("all => all.map(one => one.id)")


def test_the_claims_that_fail_are_found_and_the_evidence_of_one_in_two_steps(report, reader):
    page = reader.open(report / "pages" / "claims.html")
    page.get_by_role("radio", name="not reproduced").check()
    failing = claims(Verdict.NOT_REPRODUCED)
    assert shown_claims(page) == failing
    one = page.locator(f"#{failing[0]}")
    one.locator("summary").click()
    assert one.locator("a[href*='runs.html#run-']:visible").count() > 0
    assert one.get_by_text("Our mean differs").is_visible()
    told = page.locator(".found").inner_text()
    assert told.startswith(f"{len(failing)} of ")


def test_finding_a_claim_that_fails_with_the_keyboard_alone(report, reader):
    page = reader.open(report / "pages" / "claims.html")
    reader.tab_to(page.get_by_role("radio", name="all"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    one = page.locator(f"#{claims(Verdict.NOT_REPRODUCED)[0]}")
    reader.tab_to(one.locator("summary"))
    page.keyboard.press("Enter")
    assert one.locator("dl").is_visible()


def test_the_address_keeps_what_was_chosen(report, wide_reader):
    page = wide_reader.open(report / "pages" / "claims.html")
    page.get_by_role("radio", name="not reproduced").check()
    page.get_by_label("Network").select_option("deep")
    page.get_by_label("Place in the paper").select_option("Section 4")
    page.get_by_label("Order").select_option("as in the paper")
    before = shown_claims(page)
    assert "claim-deep-best" in before and len(before) < len(claims(Verdict.NOT_REPRODUCED))
    page.reload()
    assert shown_claims(page) == before
    assert page.get_by_role("radio", name="not reproduced").is_checked()
    assert page.get_by_label("Place in the paper").input_value() == "Section 4"
    page.get_by_role("radio", name="all").check()
    for label in ("Network", "Place in the paper", "Order"):
        page.get_by_label(label).select_option(index=0)
    assert "#" not in page.url
    every = [f"claim-{one.id}" for one in paper.load().not_testable]
    assert shown_claims(page) == claims() + every


def test_claims_come_in_the_order_of_the_paper(report, wide_reader):
    page = wide_reader.open(report / "pages" / "claims.html", "#order=paper")
    ranks = page.locator("details.claim:visible").evaluate_all(
        "all => all.map(e => e.dataset.rank)"
    )
    assert list(map(int, ranks)) == sorted(map(int, ranks)) and len(ranks) > len(claims())
    heads = page.locator(".claims.flat .part:visible").all_inner_texts()
    assert heads[0] == "Abstract" and heads[-1] == "Table 3"
    page.get_by_label("Network").select_option("improved")
    assert "Figure 8" in heads
    assert "Figure 8" not in page.locator(".claims.flat .part:visible").all_inner_texts()


def test_a_link_to_a_claim_opens_it_though_it_is_filtered_out(report, wide_reader):
    page = wide_reader.open(report / "pages" / "claims.html", "#verdict=reproduced")
    assert not page.locator("#claim-deep-best").is_visible()
    page.evaluate("location.hash = 'claim-deep-best'")
    assert page.locator("#claim-deep-best dl").is_visible()


def test_dot_plots_follow_the_theme(report, wide_reader):
    page = wide_reader.open(report / "pages" / "claims.html")
    plot = page.locator("#claim-table-3-deep-training-loss svg")
    for part, colour in (("circle", "fill"), (".diamond", "stroke")):
        value = f"one => getComputedStyle(one).{colour}"
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        light = plot.locator(part).first.evaluate(value)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        assert plot.locator(part).first.evaluate(value) != light, part


def test_all_claims_are_seen_on_few_screens(report, wide_reader):
    page = wide_reader.open(report / "pages" / "claims.html")
    assert page.evaluate("document.documentElement.scrollHeight") <= 6000


@pytest.mark.parametrize("width", [320, 390])
def test_opened_claims_do_not_run_off_a_phone(report, browser, width):
    reader = Reader(browser, width)
    page = reader.open(report / "pages" / "claims.html")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    reader.check()
    reader.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opened_claims_keep_no_reader_out(report, browser, scheme):
    reader = Reader(browser, scheme=scheme)
    page = reader.open(report / "pages" / "claims.html", "#verdict=not-reproduced")
    for line in page.locator("details.claim:visible summary").all()[:6]:
        line.click()
    found = Axe().run(page, options={"runOnly": WCAG})
    assert found.violations_count == 0, found.generate_report()
    reader.context.close()


def test_without_javascript_every_claim_is_there_and_unfolds(report, browser):
    reader = Reader(browser, java_script_enabled=False)
    page = reader.open(report / "pages" / "claims.html")
    every = [f"claim-{one.id}" for one in paper.load().not_testable]
    lines = page.locator("details.claim:visible")
    assert [one.get_attribute("id") for one in lines.all()] == claims() + every
    one = page.locator("#claim-deep-best")
    one.locator("summary").click()
    assert one.locator("dl").is_visible()
    assert not page.get_by_role("radio").count()
    reader.context.close()


# ---- all runs -----------------------------------------------------------------------------------


ROWS = "table.all-runs > tbody > tr:visible"


def mean(same, measure):
    """The mean of a measure over a recipe's recorded runs; None of no run."""
    every = [measure(one.record) for one in same if one.record]
    return np.mean(every) if every else None


def validation(one):
    return 100 * verdicts.score(one, "validation_accuracy")


def cheapest(least):
    """The cheapest recipe whose runs have at least that validation accuracy in the mean."""
    every = run_tables.by_recipe(study())
    good = [same for same in every if (mean(same, validation) or 0) >= least]
    return min(good, key=lambda same: mean(same, lambda one: one.run.cost.wall_seconds))[0].recipe


def column(page, head):
    """The texts of a column of the recipes that are shown, from top to bottom."""
    heads = page.locator("table.all-runs > thead th").all_inner_texts()
    cells = page.locator(f"{ROWS} > td:nth-child({heads.index(head) + 1})")
    return [text.strip() for text in cells.all_inner_texts()]


def details(page, recipe):
    """The button that opens the details of a recipe."""
    return page.get_by_role("button", name=f"Details of {recipe.variant}", exact=True)


def test_finding_the_cheapest_recipe_above_55_percent_validation_accuracy(report, reader):
    page = reader.open(report / "pages" / "runs.html")
    page.get_by_label("Validation accuracy at least").fill("55")
    page.get_by_role("button", name="Minutes", exact=True).click()
    assert column(page, "Recipe")[0] == cheapest(55).variant
    minutes = [float(text.split()[0]) for text in column(page, "Minutes")]
    assert minutes == sorted(minutes) and len(minutes) > 1
    assert page.locator("th[aria-sort=ascending]").inner_text() == "Minutes"


def test_finding_it_with_the_keyboard_alone(report, reader):
    page = reader.open(report / "pages" / "runs.html")
    reader.tab_to(page.get_by_label("Validation accuracy at least"))
    page.keyboard.type("55")
    reader.tab_to(page.get_by_role("button", name="Minutes", exact=True))
    page.keyboard.press("Enter")
    assert column(page, "Recipe")[0] == cheapest(55).variant
    reader.tab_to(page.locator(f"{ROWS} button.open").first)
    page.keyboard.press("Enter")
    assert (
        page.locator(".particulars:visible pre").inner_text().startswith("FER2013=PATH papermill")
    )
    reader.tab_to(page.locator(".particulars:visible").get_by_role("checkbox").first)
    page.keyboard.press("Space")
    assert "tick one more run" in page.locator(".compare:visible").inner_text()


def test_recipes_are_found_by_words_network_and_part_the_recorded_ones_at_first(
    report, wide_reader
):
    page = wide_reader.open(report / "pages" / "runs.html")
    every = run_tables.by_recipe(study())
    recorded = [same[0].recipe.variant for same in every if any(one.record for one in same)]
    assert column(page, "Recipe") == recorded and 0 < len(recorded) < len(every)
    page.get_by_role("button", name="Show all").click()
    assert column(page, "Recipe") == [same[0].recipe.variant for same in every]
    page.get_by_label("Search").last.fill("batch_size 32")
    page.get_by_label("Network").select_option("improved")
    page.get_by_label("Part of the study").select_option("batch size")
    assert column(page, "Recipe") == ["improved, batch size 32"]
    assert f"1 of {len(every)} recipes" in page.locator(".found").inner_text()


def test_a_head_sorts_both_ways_and_what_has_no_score_comes_last(report, wide_reader):
    page = wide_reader.open(report / "pages" / "runs.html")
    page.get_by_role("button", name="Show all").click()
    means = [mean(same, validation) for same in run_tables.by_recipe(study())]
    recorded = [one for one in means if one is not None]
    for descending in (True, False):
        page.get_by_role("button", name="Validation (%)", exact=True).click()
        texts = [text.split()[0] for text in column(page, "Validation (%)")]
        expected = [f"{one:.1f}" for one in sorted(recorded, reverse=descending)]
        assert texts == expected + ["–"] * (len(means) - len(recorded))


def test_a_recipes_details_are_those_of_its_records_and_stay_with_it(report, wide_reader):
    page = wide_reader.open(report / "pages" / "runs.html")
    records = study().by_model["shallow"]
    recipe = records[0].recipe
    details(page, recipe).click()
    shown = page.locator(".particulars:visible")
    assert run_tables.command(recipe) == shown.locator("pre").inner_text()
    lines = shown.locator(".values tbody tr").all_inner_texts()
    assert len(lines) == len(records) > 1
    for line, one in zip(lines, records):
        for words in (*run_tables.scores(one, "PrivateTest").values(), one.run.id):
            assert words.replace("\u00a0%", "") in line
    for name, text in recipe.in_words().items():
        assert name == "seed" or f"{name} {text}" in " ".join(shown.inner_text().split())
    assert records[0].run.environment.device in shown.inner_text()
    page.get_by_role("button", name="Recipe", exact=True).click()
    page.get_by_role("button", name="Recipe", exact=True).click()  # the last one first
    above = page.locator(f"{ROWS}:has(.particulars)").locator("xpath=preceding-sibling::tr[1]")
    assert above.locator("td").first.inner_text() == recipe.variant


def test_opened_details_keep_no_reader_out(report, browser):
    for width, scheme in VIEWS:
        reader = Reader(browser, width, scheme)
        page = reader.open(report / "pages" / "runs.html")
        details(page, study().records[0].recipe).click()
        page.locator(".particulars:visible").get_by_role("checkbox").first.check()
        found = Axe().run(page, options={"runOnly": WCAG})
        assert found.violations_count == 0, found.generate_report()
        reader.context.close()


def test_a_link_to_a_run_opens_its_recipe_though_it_is_filtered_out(report, reader):
    one = next(one for one in study().records if one.recipe.seed)
    page = reader.open(report / "pages" / "runs.html")
    page.get_by_label("Search").last.fill("nothing has these words")
    assert page.locator(ROWS).count() == 0
    page.evaluate(f"location.hash = 'run-{one.run.id}'")
    assert page.locator(f"#run-{one.run.id}").is_visible()
    (line,) = page.locator(".particulars:visible .is-meant").all()
    assert one.run.id in line.inner_text()
    page.wait_for_function("scrollY > 0")
    assert details(page, one.recipe).evaluate("one => one.getBoundingClientRect().y") < 200


def test_on_paper_every_recipe_has_its_row_and_its_command(report, wide_reader):
    page = wide_reader.open(report / "pages" / "runs.html")
    every = run_tables.by_recipe(study())
    assert page.locator(ROWS).count() < len(every)
    page.emulate_media(media="print")
    assert page.locator(ROWS).count() == len(every)
    assert page.locator(f"{ROWS} > td:last-child code:visible").count() == len(every)


# ---- two runs -----------------------------------------------------------------------------------


def two_tables(page, first, second):
    """The tables of two runs: as the page has them, and as the package makes them."""
    made = {
        "recipes": run_tables.recipes_beside(first, second),
        "scores": run_tables.scores_beside(first, second),
        "verdicts": run_tables.verdicts_beside(first, second),
        "emotions": run_tables.emotions_beside(first, second, "PrivateTest"),
        "images": run_tables.changed(first, second, "PrivateTest"),
    }
    names = {name: f"two-runs-{name}" for name in made}
    return [
        {name: table_texts(page, id) for name, id in names.items()},
        {name: frame_texts(frame) for name, frame in made.items()},
    ]


def test_setting_two_runs_beside_each_other(report, reader):
    first, *_, second = study().records
    page = reader.open(report / "pages" / "runs.html")
    for one in (first, second):
        details(page, one.recipe).click()
        name = f"Compare {one.recipe.name}"
        page.get_by_role("checkbox", name=name, exact=True).check()
    page.get_by_role("link", name="Set them beside each other").click()
    page.wait_for_selector(".two-runs select")
    shown, made = two_tables(page, first, second)
    assert shown == made
    assert page.locator("#two-runs-curves svg[role=img]:visible").count() == 2
    assert not page.locator("#two-runs-curves img:visible").count()
    assert not page.locator("#two-runs-curves .downloads:visible").count()  # of another pair


def test_choosing_them_with_the_keyboard_alone(report, reader):
    first, second, *_ = study().records
    page = reader.open(report / "pages" / "two_runs.html")
    for label, one in (("First run", first), ("Second run", second)):
        runs = page.get_by_label(label)
        reader.tab_to(runs)
        page.keyboard.press("Home")
        values = runs.evaluate("select => [...select.options].map(option => option.value)")
        for _ in range(values.index(one.run.id)):
            page.keyboard.press("ArrowDown")
    shown, made = two_tables(page, first, second)
    assert shown == made
    assert page.evaluate("location.hash") == f"#first={first.run.id}&second={second.run.id}"


def test_the_page_computes_of_every_pair_what_the_package_computes(report, wide_reader):
    pairs = list(itertools.combinations(study().records, 2))
    for first, second in pairs[:: max(1, len(pairs) // 8)]:
        fragment = f"#first={first.run.id}&second={second.run.id}"
        page = wide_reader.open(report / "pages" / "two_runs.html", fragment)
        shown, made = two_tables(page, first, second)
        assert shown == made


def test_the_other_split_and_all_changed_images_can_be_had(report, wide_reader):
    first, second = run_tables.pair(study())
    page = wide_reader.open(report / "pages" / "two_runs.html")
    page.get_by_role("radio", name="PublicTest").check()
    emotions = run_tables.emotions_beside(first, second, "PublicTest")
    assert table_texts(page, "two-runs-emotions") == frame_texts(emotions)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download them all").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    one, other = (run.predictions["PublicTest"] for run in (first, second))
    changed = np.flatnonzero((one.predicted == one.labels) != (other.predicted == other.labels))
    assert [int(row["image"]) for row in rows] == changed.tolist()


# ---- learning curves ----------------------------------------------------------------------------


def shown_lines(page):
    drawing = page.locator("#shallow-curves svg[role=img]").first
    return drawing.locator("g[data-run]:visible").count()


def test_a_seeds_curve_can_be_hidden_and_shown_again(report, reader):
    page = reader.open(report / "pages" / "shallow.html")
    page.locator("#shallow-curves svg[role=img]").first.scroll_into_view_if_needed()
    every = shown_lines(page)
    seeds = page.locator("#shallow-curves").get_by_role("checkbox", name="seed")
    assert every == 2 * seeds.count()
    seeds.first.uncheck()
    assert shown_lines(page) == every - 2
    page.locator("#shallow-curves").get_by_role("checkbox", name="training").uncheck()
    assert shown_lines(page) == every // 2 - 1
    seeds.first.check()
    assert shown_lines(page) == every // 2


def test_values_are_read_with_the_pointer_and_with_the_keyboard(report, reader):
    page = reader.open(report / "pages" / "shallow.html")
    figure = page.locator("#shallow-curves")
    seed_0 = study().by_model["shallow"][0]
    reader.tab_to(figure.get_by_role("slider"))
    page.keyboard.press("Home")
    row = figure.locator(".values tbody tr").first
    values = seed_0.history.iloc[0]
    expected = [
        *(f"{100 * values[f'{part}_accuracy']:.1f}\u00a0%" for part in ("training", "validation")),
        *(f"{values[f'{part}_loss']:.3f}" for part in ("training", "validation")),
    ]
    assert row.locator("td").all_inner_texts() == expected
    drawing = figure.locator("svg[role=img]").first
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    page.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + 0.3 * box["height"])
    assert f"{seed_0.recipe.epochs} of" in figure.locator("output").inner_text()
    assert "seed" in figure.locator(".near:visible").first.text_content()


def test_curves_follow_the_theme_while_the_page_is_open(report, wide_reader):
    page = wide_reader.open(report / "pages" / "shallow.html")
    curve = page.locator("#shallow-curves g[data-part=training] path.curve").first
    colour = "line => getComputedStyle(line).stroke"
    light = curve.evaluate(colour)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert curve.evaluate(colour) != light


def test_a_run_that_diverged_or_has_one_epoch_is_drawn(small_page):
    losses = {"training_loss": [1.0, float("nan")], "validation_loss": [float("inf")] * 2}
    diverged = record("shallow", curves=losses, epochs=2)
    short = record("shallow", epochs=1, seed=1)
    page = small_page("curves", interactive.curves_data("a-figure", [diverged, short]))
    assert page.locator("svg[role=img]").count() == 2
    assert "–" in page.locator(".values tbody td").all_inner_texts()
    page.locator(".every-value summary").click()
    page.wait_for_selector(".every-value table")
    assert page.locator(".every-value tbody tr").count() == 4


def test_no_text_of_a_run_becomes_html(small_page):
    evil = "<img src=x onerror=alert(1)>"
    data = interactive.confusion_data("a-figure", [SHALLOW])
    data["runs"][0]["name"] = f"</script>{evil}"
    data["emotions"] = [evil, *data["emotions"][1:]]
    page = small_page("confusion", data)
    assert page.locator("img").count() == 1  # the static figure
    assert html.escape(evil, quote=False) in page.locator("table.matrix").inner_html()


# ---- confusion matrix ---------------------------------------------------------------------------


def test_switching_the_confusion_matrix(report, reader):
    page = reader.open(report / "pages" / "shallow.html")
    figure = page.locator("#shallow-confusion")
    seeds = study().by_model["shallow"]
    figure.get_by_role("radio", name="images").check()
    figure.get_by_role("radio", name="PublicTest").check()
    figure.get_by_label("Run").select_option(index=len(seeds) - 1)
    counts = metrics.confusion(seeds[-1].predictions["PublicTest"])
    fields = "cell => cell.firstChild.textContent"
    shown = [cell.evaluate(fields) for cell in figure.locator("td").all()]
    assert shown == [f"{count:,}" for count in counts.to_numpy().flat]
    figure.get_by_role("radio", name="share of the answers").check()
    shares = counts / counts.sum()
    top = figure.locator("td").nth(24).evaluate(fields)
    assert top == f"{100 * shares.iat[3, 3]:.0f}\u00a0%"


def test_reading_the_confusion_matrix_with_the_keyboard_alone(small_page, wide_reader):
    page = small_page("confusion", interactive.confusion_data("a-figure", [SHALLOW, IMPROVED]))
    page.get_by_role("radio", name="PrivateTest").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_label("Run").focus()
    page.keyboard.press("End")
    wide_reader.tab_to(page.locator("table.matrix td").first)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    counts = metrics.confusion(IMPROVED.predictions["PublicTest"])
    begins = f"{counts.iat[1, 2]:,} of {counts.iloc[1].sum():,} disgust images"
    assert page.locator(".reading").inner_text().startswith(begins)


# ---- sliders ------------------------------------------------------------------------------------


def test_the_slider_takes_known_photographs_out_and_the_ranking_turns_over(report, reader):
    page = reader.open(report / "pages" / "comparison.html")
    slider = page.get_by_label("Share of photographs known from Training")
    names = page.locator("#comparison-familiarity .slider th")
    assert names.first.inner_text() == "improved"
    slider.focus()
    page.keyboard.press("End")
    assert names.first.inner_text() == "shallow"
    told = page.locator("#comparison-familiarity .slider [role=status]")
    assert (
        told.inner_text().replace("\u00a0", " ").startswith("100 %: Shallow is ahead of improved")
    )
    assert page.locator("#comparison-familiarity img:visible").count() == 1


def test_adding_seeds_with_the_keyboard_shrinks_the_intervals(small_page):
    every = [
        record("shallow", curves={"validation_accuracy": 0.58 + seed / 1000}, seed=seed)
        for seed in range(4)
    ]
    found = synthetic.study(*every, IMPROVED)
    page = small_page("slider", interactive.by_seeds_data("a-figure", paper.load(), found))
    page.get_by_label("Seeds of each network").focus()
    interval, widths = page.locator(".interval").nth(1), []
    for key in (None, *["ArrowRight"] * 3):
        if key:
            page.keyboard.press(key)
        widths.append(interval.bounding_box()["width"])
    assert widths[1] > widths[2] > widths[3] > widths[0]
    assert page.locator("output").inner_text() == "4 seeds"
    assert page.locator("[role=status]").inner_text().startswith("4 seeds: ")


# ---- what the page computes ---------------------------------------------------------------------


@pytest.fixture
def statistics(wide_reader):
    """The page's own statistics, as a function of a name and arguments."""
    for script in ("elements.js", "statistics.js"):
        wide_reader.page.add_script_tag(path=STATIC / "interactive" / script)
    return lambda name, *given: wide_reader.page.evaluate(
        "([name, given]) => report.statistics[name](...given)", [name, given]
    )


def test_mcnemar_is_that_of_scipy(statistics):
    pairs = [(0, 0), (0, 1), (1, 0), (5, 5), (3, 12), (12, 3), (388, 475), (1800, 1700), (0, 3589)]
    for alone, other in pairs:
        expected = stats.binomtest(alone, alone + other).pvalue if alone + other else 1.0
        assert statistics("mcnemar", alone, other) == pytest.approx(expected, rel=1e-9), alone


def test_the_interval_of_a_difference_is_that_of_metrics(statistics):
    for split in runs.HELD_OUT:
        one, other = (run.predictions[split] for run in (SHALLOW, IMPROVED))
        paired, count = metrics.mcnemar(one, other), len(one.labels)
        quantile = float(stats.t.ppf(0.975, count - 1))
        found = statistics("difference", paired.first_alone, paired.second_alone, count, quantile)
        assert found == pytest.approx(metrics.difference(one, other)._asdict())


def test_the_page_unpacks_what_the_package_packs(statistics):
    labels = SHALLOW.predictions["PublicTest"].predicted
    assert statistics("unpack", interactive.pack(labels), len(labels)) == labels.tolist()


# ---- where nothing is interactive ---------------------------------------------------------------


def test_without_javascript_tables_and_figures_are_there(report, browser):
    reader = Reader(browser, java_script_enabled=False)
    page = reader.open(report / "pages" / "runs.html")
    every = run_tables.by_recipe(study())
    assert page.locator("#runs-all tbody tr:visible").count() == len(every)
    shown = page.locator("#runs-all").inner_text().replace("\n", " ")
    assert all(run_tables.command(same[0].recipe) in shown for same in every)
    page = reader.open(report / "pages" / "two_runs.html")
    for name in ("recipes", "scores", "verdicts", "emotions", "images"):
        assert page.locator(f"#two-runs-{name} td").first.is_visible()
    assert page.locator("#two-runs-curves img:visible").count() == 1
    for model in MODELS:
        page = reader.open(report / "pages" / f"{model}.html")
        for figure in ("curves", "confusion"):
            assert page.locator(f"#{model}-{figure} img.only-light").is_visible()
    reader.context.close()


@pytest.mark.parametrize("model", MODELS)
def test_the_interactive_part_takes_the_figures_place_and_is_described_as_it(
    report, wide_reader, model
):
    page = wide_reader.open(report / "pages" / f"{model}.html")
    for name in ("curves", "confusion"):
        figure = page.locator(f"#{model}-{name}")
        assert not figure.locator("img:visible").count()
        described = figure.locator(".interactive").get_attribute("aria-label")
        assert described == figure.locator("img").first.get_attribute("alt")
        page.emulate_media(media="print")
        assert figure.locator("img.only-light").is_visible()
        page.emulate_media(media="screen")
