"""Shows each figure of a page for light and for dark pages, and offers it for download.

Reads what the page's notebook holds of a figure; writes it, named as the figure, to
_downloads/figures. The shown picture is the SVG: it weighs less than the PNG of twice the pixels,
or, of faces, as much.
"""

import base64
import re
from html import escape
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.util.osutil import relative_uri

from ferutils import storage
from ferutils.report import figures

FOLDER = "_downloads/figures"
# Of faces there is no CSV: it would hand on their pixels, of which the page shows a picture.
FORMS = {"csv": "CSV (data)", "svg": "SVG", "png": "PNG"}
PIXELS_PER_POINT = 96 / 72


def _show_and_offer(app, doctree, docname):
    notebook = Path(app.env.doc2path(docname))
    if app.builder.format != "html" or notebook.suffix != ".ipynb":
        return
    bundles = _bundles(notebook)
    numbers = app.env.toc_fignumbers.get(docname, {}).get("figure", {})
    folder = relative_uri(app.builder.get_target_uri(docname), FOLDER)
    for figure in [one for one in doctree.findall(nodes.figure) if one["ids"][0] in bundles]:
        name = figure["ids"][0]
        bundle, address = bundles[name], f"{folder}/{name}"
        _write(bundle, Path(app.outdir) / FOLDER / name)
        image = next(figure.findall(nodes.image))
        image.replace_self(_raw(_picture(bundle["svg"], address, image["alt"])))
        number = ".".join(map(str, numbers[name]))
        figure += nodes.legend("", _raw(_links(bundle, address, f"figure {number}")))


def _bundles(notebook):
    """What a notebook holds of its figures: by name, and by form, bytes."""
    found = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        figure = cell.metadata.get("mystnb", {}).get("figure")
        for data in [one.get("data", {}) for one in cell.get("outputs", [])]:
            if figure and "image/svg+xml" in data:
                texts = {"csv": data.get("text/csv"), "svg": data["image/svg+xml"]}
                found[figure.name] = {form: text.encode() for form, text in texts.items() if text}
                found[figure.name]["png"] = base64.b64decode(data["image/png"])
    return found


def _write(bundle, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    for form, content in bundle.items():
        storage.write_whole(Path(f"{path}.{form}"), content)
    dark = figures.dark(bundle["svg"].decode())
    storage.write_whole(Path(f"{path}-dark.svg"), dark.encode())


def _picture(svg, address, alt):
    """An image for each theme; the light one is printed too, and does not wait to be seen."""
    points = re.search(rb'<svg [^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    width, height = (round(float(one) * PIXELS_PER_POINT) for one in points)
    about = f'alt="{escape(alt)}" width="{width}" height="{height}"'
    light = f'<img class="only-light" src="{address}.svg" {about}>'
    dark = f'<img class="only-dark" src="{address}-dark.svg" {about} loading="lazy">'
    return f'<div class="picture">{light}{dark}</div>'


def _links(bundle, address, figure):
    links = [
        f'<a href="{address}.{form}" download aria-label="{text} of {figure}">{text}</a>'
        for form, text in FORMS.items()
        if form in bundle
    ]
    return f'<p class="downloads">Download: {" · ".join(links)}</p>'


def _raw(text):
    return nodes.raw("", text, format="html")


def setup(app):
    """Change figures once the pages' references are resolved, and figures numbered."""
    app.connect("doctree-resolved", _show_and_offer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
