"""The icons' fonts hold what the report uses, and a page loads no script or style without use."""

import base64
import re
import runpy
from io import BytesIO
from pathlib import Path

import pydata_sphinx_theme
import pytest
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError

from ferutils import paths

EXTENSIONS = paths.BOOK / "_extensions"
STATIC = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static"
style_sheet = runpy.run_path(str(EXTENSIONS / "icons.py"))["style_sheet"]
lighter = runpy.run_path(str(EXTENSIONS / "light.py"))["lighter"]


@pytest.fixture
def page(tmp_path):
    """Writes a page with these classes on an element."""

    def written(classes):
        file = tmp_path / "page.html"
        file.write_text(f'<p>text</p><i class="{classes}"></i>')
        return file

    return written


def fonts(sheet):
    """The characters of each font of a style sheet, by family and weight."""
    found = {}
    for rule in re.findall(r"@font-face\{[^}]*\}", sheet):
        content = base64.b64decode(re.search(r"base64,([^)]*)\)", rule)[1])
        family = re.search(r"font-family:([^;]*)", rule)[1].replace("\\", "")
        weight = re.search(r"font-weight:(\d+)", rule)[1]
        found[family, weight] = set(map(chr, TTFont(BytesIO(content)).getBestCmap()))
    return found


# ---- icons --------------------------------------------------------------------------------------

SOLID, REGULAR = ("Font Awesome 6 Free", "900"), ("Font Awesome 6 Free", "400")
BRANDS = ("Font Awesome 6 Brands", "400")
BARS, STAR, GITHUB, CLOSE, WARNING = "\uf0c9", "\uf005", "\uf09b", "\uf00d", "\uf071"


def test_an_icon_that_a_page_uses_is_in_the_fonts_and_one_that_none_uses_is_not(page):
    with_bars = fonts(style_sheet(STATIC, [page("fa-solid fa-bars fa-lg")]))
    without = fonts(style_sheet(STATIC, [page("fa-solid fa-lg")]))
    assert with_bars[SOLID] - without[SOLID] == {BARS}
    assert STAR not in with_bars[SOLID]


@pytest.mark.parametrize(
    ("classes", "font", "character"),
    [
        ("far fa-star", REGULAR, STAR),
        ("fab fa-github", BRANDS, GITHUB),
        ("fas fa-star", SOLID, STAR),
    ],
)
def test_an_icon_is_drawn_in_its_style(page, classes, font, character):
    assert character in fonts(style_sheet(STATIC, [page(classes)]))[font]


def test_icons_of_the_themes_scripts_and_of_its_style_sheet_are_in_the_fonts():
    assert {CLOSE, WARNING} <= fonts(style_sheet(STATIC, []))[SOLID]


@pytest.mark.parametrize("classes", ["fa-solid fa-bar", "fa-solid fa-github", "fa-brands fa-bars"])
def test_an_icon_that_there_is_not_stops_the_build_and_is_named(page, classes):
    icon = classes.split()[1]
    with pytest.raises(ExtensionError, match=rf"(?s)^Expected .*{icon} in page\.html.*Correct"):
        style_sheet(STATIC, [page(classes)])


def test_the_icons_keep_their_licence_and_weigh_little(page):
    sheet = style_sheet(STATIC, [page("fa-solid fa-bars")])
    assert re.match(r"/\*!.*Font Awesome Free .*License - https://.*\*/", sheet, re.DOTALL)
    assert len(sheet) < 20_000
    assert sheet == style_sheet(STATIC, [page("fa-solid fa-bars")])


# ---- what a page loads --------------------------------------------------------------------------

LOADS = (
    '<link rel="stylesheet" type="text/css" href="../_static/copybutton.css?v=1" />\n'
    '<link href="../_static/styles/theme.css?digest=1" rel="stylesheet" />\n'
    '<script defer src="../_static/scripts/fontawesome.js?digest=1"></script>\n'
    '<script src="../_static/copybutton.js?v=2"></script>\n'
    '<script src="../_static/togglebutton.js"></script>\n'
    '<script src="../searchindex.js"></script>\n'
    "<script>let kept = true;</script>"
)


@pytest.mark.parametrize(
    ("body", "used"),
    [
        ("<p>highlight</p>", set()),
        ('<div class="highlight-bash notranslate"></div>', {"copybutton.css", "copybutton.js"}),
        ('<div class="admonition note dropdown"></div>', {"togglebutton.js"}),
        ('<div class="dropdown admonition"></div>', {"togglebutton.js"}),
        ('<div class="toggle"></div>', {"togglebutton.js"}),
        ('<div class="dropdown dropdown-download-buttons"></div>', set()),
        ('<div id="search-results"></div>', {"searchindex.js"}),
    ],
)
def test_a_page_loads_what_it_uses_and_nothing_else(body, used):
    page = lighter(LOADS + body)
    assert set(re.findall(r"([\w.]+)(?:\?[^\"]*)?\"", page.removesuffix(body))) & set(
        re.findall(r"[\w.]+\.(?:js|css)", LOADS)
    ) == used | {"theme.css"}
    assert "<script>let kept = true;</script>" in page
    assert page.endswith(body)
    assert lighter(page) == page
