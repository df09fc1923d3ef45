"""Figures of the built report: shown for each theme, and taken away as data and as pictures."""

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import nbformat
import numpy as np
import pytest
from browsing import Reader
from helpers import each
from PIL import Image
from test_figures import contrast, letters_of

from ferutils import paths
from ferutils.claims import metrics
from ferutils.records import study
from ferutils.report import figures

MODELS = ("shallow", "improved", "deep")


class Figure(NamedTuple):
    page: str
    name: str
    faces: bool


def figures_of(notebook):
    """Name, caption and whether it shows faces, of each figure of a notebook."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure:
            yield figure.name, figure.caption, "figures.faces(" in cell.source


FIGURES = [
    Figure(path.stem, name, faces)
    for path in sorted(paths.NOTEBOOKS.glob("*.ipynb"))
    for name, _, faces in figures_of(path)
]
every_figure = each("figure", FIGURES, lambda figure: figure.name)


def file_of(report, name, ending):
    return report / "_downloads" / "figures" / f"{name}{ending}"


def rows_of(text):
    return list(csv.DictReader(text.splitlines()))


# ---- files --------------------------------------------------------------------------------------


@every_figure
def test_a_figure_can_be_had_as_csv_svg_and_png_and_faces_as_pictures_only(report, figure):
    name, faces = figure.name, figure.faces
    for ending in (".svg", "-dark.svg"):
        svg = ElementTree.parse(file_of(report, name, ending)).getroot()
        assert float(svg.get("width").removesuffix("pt")) == pytest.approx(72 * figures.WIDTH)
    png = Image.open(file_of(report, name, ".png"))
    png.load()
    assert png.width == pytest.approx(2 * 96 * figures.WIDTH, abs=1)
    assert len(png.convert("L").getcolors()) > 2  # something is drawn
    assert file_of(report, name, ".csv").exists() != faces
    if not faces:
        rows = rows_of(file_of(report, name, ".csv").read_text())
        assert rows
        assert all(None not in row and None not in row.values() for row in rows)


@each("page", sorted({figure.page for figure in FIGURES}))
def test_the_figures_of_a_page_are_offered_under_their_captions_by_names_that_say_which(
    report, wide_reader, page
):
    opened = wide_reader.open(report / "pages" / f"{page}.html")
    for one in FIGURES:
        if one.page == page:
            check_offered(opened.locator(f"figure#{one.name}"), one.name, one.faces)


def check_offered(figure, name, faces):
    """The links under a caption lead to the files of this figure."""
    number = figure.locator(".caption-number").inner_text().removeprefix("Fig.").strip()
    forms = [] if faces else ["CSV (data)"]
    for form in [*forms, "SVG", "PNG"]:
        link = figure.locator("figcaption").get_by_role(
            "link", name=f"{form} of figure {number}", exact=True
        )
        target = unquote(urlsplit(link.evaluate("link => link.href")).path)
        assert Path(target).stem == name
        assert Path(target).is_file()
    assert figure.locator(".downloads a").count() == len(forms) + 2


@every_figure
def test_the_letters_of_a_figure_stand_out_in_the_dark(report, figure):
    name = figure.name
    text = file_of(report, name, "-dark.svg").read_text()
    fields = {figures.DARK[one].lower() for one in (figures.ON_PALE, figures.ON_STRONG)}
    colours = {colour for _, colour in letters_of(text)}
    # The fields of a heat map have letters and a test of their own.
    if "QuadMesh" in text:
        colours -= fields
    assert colours
    assert all(contrast(colour, figures.DARK[figures.PAGE]) >= 4.5 for colour in colours)


# ---- a reader's walks ---------------------------------------------------------------------------


def downloaded(page, name, form="CSV (data)"):
    with page.expect_download() as download:
        page.locator(f"figure#{name} .downloads").get_by_text(form, exact=True).click()
    assert download.value.suggested_filename.startswith(f"{name}.")
    return download.value.path().read_text()


@pytest.mark.parametrize("model", MODELS)
def test_the_downloaded_learning_curves_are_those_of_the_records(report, wide_reader, model):
    page = wide_reader.open(report / "pages" / f"{model}.html")
    rows = rows_of(downloaded(page, f"{model}-curves"))
    records = study.read().by_model[model]
    assert {row["run_id"] for row in rows} == {one.run.id for one in records} | {""}
    for one in records:
        mine = [row for row in rows if row["run_id"] == one.run.id]
        assert [int(row["epoch"]) for row in mine] == one.history["epoch"].tolist()
        for column, unit in figures.UNITS.items():
            found = [float(row[f"{column}_{unit}"]) for row in mine]
            assert np.array_equal(found, one.history[column], equal_nan=True)


@pytest.mark.parametrize("model", MODELS)
def test_the_downloaded_confusion_matrix_is_that_of_the_record(report, wide_reader, model):
    page = wide_reader.open(report / "pages" / f"{model}.html")
    rows = rows_of(downloaded(page, f"{model}-confusion"))
    counts = metrics.confusion(study.read().by_model[model][0].predictions["PrivateTest"])
    assert len(rows) == counts.size
    for row in rows:
        images = counts.loc[row["true_emotion"], row["predicted_emotion"]]
        assert int(row["images"]) == images
        assert float(row["share_of_true"]) == images / counts.loc[row["true_emotion"]].sum()


def test_a_figure_is_downloaded_with_the_keyboard_alone(report, wide_reader):
    page = wide_reader.open(report / "pages" / "comparison.html")
    wide_reader.tab_to(page.locator("figure#comparison-calibration .downloads a").first)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "comparison-calibration.csv"


def test_the_pair_that_can_be_downloaded_is_the_one_that_is_shown(report, wide_reader):
    page = wide_reader.open(report / "pages" / "two_runs.html")
    links = page.locator("#two-runs-curves .downloads")
    assert links.is_visible()
    page.get_by_role("button", name="Swap them").click()
    assert links.is_hidden()
    page.get_by_role("button", name="Swap them").click()
    assert links.is_visible()


# ---- light and dark -----------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "shown"), [("light", ""), ("dark", "-dark")])
def test_the_picture_is_made_for_the_theme(report, browser, scheme, shown):
    reader = Reader(browser, scheme=scheme)
    page = reader.open(report / "pages" / "comparison.html")
    for figure in page.locator("figure:has(.picture):not(.has-interactive)").all():
        figure.scroll_into_view_if_needed()
        image = figure.locator("img:visible")
        image.evaluate("image => image.decode()")
        assert image.evaluate("image => getComputedStyle(image).filter") == "none"
        assert image.evaluate("image => getComputedStyle(image).padding") == "0px"
        assert image.get_attribute("src").endswith(f"/{figure.get_attribute('id')}{shown}.svg")
    # A page is light until its script has asked which theme the reader wants.
    dark = [url for url in reader.requests if url.endswith("-dark.svg")]
    assert bool(dark) == (scheme == "dark")
    reader.check()
    reader.context.close()


def test_print_is_light_and_has_every_picture(report, browser):
    reader = Reader(browser, scheme="dark")
    page = reader.open(report / "pages" / "shallow.html")
    page.emulate_media(media="print")
    assert not page.locator("img.only-dark:visible").count()
    names = [name for name, *_ in figures_of(paths.NOTEBOOKS / "shallow.ipynb")]
    assert page.locator("figure img.only-light:visible").count() == len(names)
    page.pdf()
    loaded = {Path(urlsplit(url).path).stem for url in reader.requests}
    assert set(names) <= loaded
    reader.context.close()


# ---- pages that read as articles ----------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_model_page_begins_with_a_sentence_and_its_learning_curves(report, wide_reader, model):
    page = wide_reader.open(report / "pages" / f"{model}.html")
    figure = page.locator(f"figure#{model}-curves")
    assert figure.bounding_box()["y"] < page.locator("article h2").first.bounding_box()["y"]
    assert figure.bounding_box()["y"] < 500  # pixels, of the 900 of a first screen
    lead = page.locator("article h1 + p").inner_text()
    assert lead.count(".") == 1
    text = page.locator("article").inner_text()
    assert "read from its record" not in text
    assert "code cell" not in text


@pytest.mark.parametrize("model", MODELS)
def test_the_code_of_a_page_folds_out(report, wide_reader, model):
    page = wide_reader.open(report / "pages" / f"{model}.html")
    source = page.locator("details.hide pre").filter(has_text="figures.learning_curves")
    assert source.is_hidden()
    page.get_by_text("parameters", exact=True).click()
    assert page.get_by_text("type: int passes over the training images").is_visible()
    wide_reader.tab_to(page.locator("details.hide:has-text('figures.learning_curves') summary"))
    page.keyboard.press("Enter")
    assert source.is_visible()


@pytest.mark.parametrize("model", MODELS)
def test_a_caption_says_which_figure_of_the_paper_it_matches_or_that_there_is_none(model):
    for name, caption, _ in figures_of(paths.NOTEBOOKS / f"{model}.ipynb"):
        none = caption.endswith("The paper has no such figure.")
        assert none or "Matches Figure" in caption, name
