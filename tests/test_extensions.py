"""A page loads no script or style without use."""

import re
import runpy

import pytest

from ferutils import paths

EXTENSIONS = paths.BOOK / "_extensions"
lighter = runpy.run_path(str(EXTENSIONS / "light.py"))["lighter"]


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
