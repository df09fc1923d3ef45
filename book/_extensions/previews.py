"""Puts into each page what its references lead to: figures, tables, literature, terms.

A page that is read from disk cannot ask for another file, so what previews.js shows is a template
at the end of the page. (sphinx-tippy would bring two libraries from another host, name its files at
random, and need a request for each page.)
"""

import copy
import posixpath
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from ferutils.storage import write_whole

SCRIPT = "_static/interactive/previews.js"
SHOWN = "figure, table, .citation, .glossary dt"
NEEDLESS = ".headerlink, .legend, .label, script"
ROWS = 3  # of a table


def _add_previews(app, exception):
    if exception or app.builder.format != "html":
        return
    files = {
        app.builder.get_target_uri(name): Path(app.outdir, app.builder.get_target_uri(name))
        for name in sorted(app.env.found_docs)
    }
    texts = {page: file.read_text(encoding="utf-8") for page, file in files.items()}
    articles = {page: BeautifulSoup(text, "html.parser").article for page, text in texts.items()}
    shown = {
        (page, tag["id"]): tag
        for page, article in articles.items()
        for tag in article.select(SHOWN)
        if tag.get("id")
    }
    for page, article in articles.items():
        previews = "".join(_previews(page, article, shown))
        if previews:
            before, _, after = texts[page].rpartition("</body>")
            script = f'<script src="{_relative(SCRIPT, page)}"></script>'
            added = f'<template id="previews">{previews}</template>\n{script}\n'
            write_whole(files[page], f"{before}{added}</body>{after}".encode())


def _previews(page, article, shown):
    """A part of the template for each address that a page refers to."""
    links = article.select('a.reference.internal[href*="#"]')
    for link in sorted({link["href"] for link in links}):
        path, _, anchor = link.partition("#")
        other = _joined(page, path) if path else page
        if (other, anchor) in shown:
            yield f'<div data-of="{link}">{_preview(shown[other, anchor], other, page)}</div>'


def _preview(tag, other, page):
    """What is shown of a tag, without links and anchors, and with a table's first rows only."""
    is_term = tag.name == "dt"
    part = Tag(name="dl" if is_term else "div")
    part.extend(copy.copy(one) for one in ([tag, tag.find_next("dd")] if is_term else [tag]))
    for needless in part.select(f"{NEEDLESS}, tbody tr:nth-child(n + {ROWS + 1})"):
        needless.decompose()
    for link in part("a"):
        link.unwrap()
    for one in part(True):
        for name in ("id", "role"):
            one.attrs.pop(name, None)
        if one.get("src"):
            one["src"] = _relative(_joined(other, one["src"]), page)
    left = len(tag.select("tbody tr")) - ROWS
    more = f"<p>… and {left} more row{'s' * (left > 1)}</p>" if left > 0 else ""
    return str(part) + more


def _joined(page, target):
    """An address that a page names, from the folder of the report."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def _relative(target, page):
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def setup(app):
    """Change the pages when all of them are written."""
    app.connect("build-finished", _add_previews)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
