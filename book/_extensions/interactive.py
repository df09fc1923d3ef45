"""Loads the scripts and styles of interactive parts on the pages that have such parts only.

Jupyter Book adds every script and style of book/_static to every page; here each page gets what the
parts that it embeds need, and most pages get none.
"""

import re

from docutils import nodes

OWN = ("_static/interactive/", "_static/vendor/")
NEEDS = {
    "claims": ["interactive/elements.js", "interactive/claims.js"],
    "curves": ["vendor/d3.min.js", "interactive/elements.js", "interactive/curves.js"],
    "confusion": ["interactive/elements.js", "interactive/confusion.js"],
    "face": ["interactive/elements.js", "interactive/network.js", "interactive/face.js"],
    "slider": ["interactive/elements.js", "interactive/slider.js"],
    "runs": ["interactive/elements.js", "interactive/runs.js"],
    "two-runs": [
        "vendor/d3.min.js",
        "interactive/elements.js",
        "interactive/curves.js",
        "interactive/statistics.js",
        "interactive/two_runs.js",
    ],
}


def _load_what_is_needed(app, pagename, templatename, context, doctree):
    for key in ("script_files", "css_files"):
        context[key][:] = [file for file in context.get(key, []) if not _is_own(file)]
    scripts = dict.fromkeys(script for part in _parts(doctree) for script in NEEDS[part])
    for script in scripts:  # deferred, so that they run in this order once the page is read
        app.add_js_file(script, loading_method="defer")
    if scripts:
        app.add_css_file("interactive/interactive.css", priority=900)  # after the report's own


def _is_own(file):
    return str(getattr(file, "filename", file)).startswith(OWN)


def _parts(doctree):
    """The kinds of the interactive parts of a page."""
    raw = doctree.findall(nodes.raw) if doctree else []
    return re.findall(r'data-interactive="([a-z-]+)"', "".join(node.astext() for node in raw))


def setup(app):
    """Connect before the extension that replaces the list of scripts by a shorter one."""
    app.connect("html-page-context", _load_what_is_needed, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
