"""Takes out of each page the scripts and styles that it loads without use.

Sphinx, the theme and Jupyter Book's extensions load all of theirs on every page. Once the pages are
written, what a page does not use is known from the page itself.
"""

import re
from pathlib import Path

from ferutils.storage import write_whole

SEARCH = r'id="search-results"'  # on the page of the search, where the search box leads
CODE = r'class="[^"]*\bhighlight\b'
TOGGLE = r'class="(toggle\b|(?=[^"]*\badmonition\b)[^"]*\bdropdown\b)'
# What stands in a page that uses a script or a style, by the file's name.
USED_WITH = {
    "fontawesome.js": "(?!)",  # never: the theme's styles draw the icons with its fonts
    "searchtools.js": SEARCH,
    "language_data.js": SEARCH,
    "searchindex.js": SEARCH,
    "clipboard.min.js": CODE,
    "copybutton.js": CODE,
    "copybutton.css": CODE,
    "pygments.css": CODE,
    "togglebutton.js": TOGGLE,
    "togglebutton.css": TOGGLE,
    "design-tabs.js": r'class="[^"]*\bsd-tab-set\b',
    "sphinx-design.min.css": r'class="[^"]*\bsd-',
    "sphinx-thebe.css": r'class="thebe',
}
LOADED = re.compile(
    r'\s*<(script [^>]*src|link [^>]*href)="[^"]*?(?P<name>[^/"?]+)(\?[^"]*)?"[^>]*>(</script>)?'
)


def _take_out_what_is_not_used(app, exception):
    if exception or app.builder.format != "html":
        return
    for page in set(Path(app.outdir).rglob("*.html")) - set(Path(app.outdir, "_static").rglob("*")):
        write_whole(page, lighter(page.read_text(encoding="utf-8")).encode())


def lighter(page):
    """The text of a page without the scripts and styles that it does not use."""
    unused = {name for name, pattern in USED_WITH.items() if not re.search(pattern, page)}
    return LOADED.sub(lambda found: "" if found["name"] in unused else found[0], page)


def setup(app):
    """Change the pages when all of them are written."""
    app.connect("build-finished", _take_out_what_is_not_used)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
