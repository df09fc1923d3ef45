"""Tells whoever passes a page on what it is about and, where the site is known, shows a picture.

A description of each page; its address, its picture, made from its first figure, and the sitemap
where the address of the site is known. (sphinxext-opengraph would write addresses that are none
where no site is known, and draw its pictures with a font of its own.)
"""

import io
from html import escape
from pathlib import Path

from docutils import nodes
from PIL import Image, ImageOps

from ferutils.records import provenance
from ferutils.storage import write_whole

FIGURES, CARDS = "_downloads/figures", "_downloads/cards"
SIZE, RIM = (1200, 630), 40  # pixels of a card, as the sites that show it ask
LENGTH = 200  # characters of a description


def _configure(app, config):
    config.html_baseurl = provenance.site() or ""


def _describe(app, pagename, templatename, context, doctree):
    if app.builder.name != "html" or doctree is None:
        return
    title = app.env.titles[pagename].astext()
    text = _description(doctree)
    told = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": title}
    told["og:description"] = text
    if app.config.html_baseurl:
        told |= {"og:url": context["pageurl"]} | _card(app, pagename, doctree)
    tags = [f'<meta name="description" content="{escape(text)}" />']
    tags += [f'<meta property="{name}" content="{escape(one)}" />' for name, one in told.items()]
    context["metatags"] += "\n".join(tags)


def _description(doctree):
    """The first paragraph of a page, whole sentences of it where it is long."""
    prose = filter(_is_prose, doctree.findall(nodes.paragraph))
    text = " ".join(next(prose, nodes.paragraph()).astext().split())
    if len(text) <= LENGTH:
        return text
    sentences, _, _ = text[:LENGTH].rpartition(". ")
    return f"{sentences}." if sentences else f"{text[:LENGTH].rpartition(' ')[0]} …"


def _is_prose(paragraph):
    within = (nodes.Admonition, nodes.table)
    while paragraph := paragraph.parent:
        if isinstance(paragraph, within):
            return False
    return True


def _card(app, pagename, doctree):
    """The picture of a page, made of its first figure; the first page's where it has none.

    Of faces there are no numbers as CSV, and no picture is passed on.
    """
    folder, card = Path(app.outdir, FIGURES), pagename
    names = [figure["ids"][0] for figure in doctree.findall(nodes.figure) if figure["ids"]]
    found = next((name for name in names if (folder / f"{name}.csv").exists()), None)
    if found is None:
        card = app.config.root_doc
    else:
        path = Path(app.outdir, CARDS, f"{card}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _on_white(folder / f"{found}.png"))
    width, height = map(str, SIZE)
    address = f"{app.config.html_baseurl}{CARDS}/{card}.png"
    return {"og:image": address, "og:image:width": width, "og:image:height": height}


def _on_white(picture):
    """A picture in the middle of a white card, as PNG."""
    room = [side - 2 * RIM for side in SIZE]
    figure = ImageOps.contain(Image.open(picture).convert("RGB"), room)
    card, whole = Image.new("RGB", SIZE, "white"), io.BytesIO()
    card.paste(figure, [(side - own) // 2 for side, own in zip(SIZE, figure.size)])
    card.save(whole, "PNG", optimize=True)
    return whole.getvalue()


def _map(app, exception):
    """Write the addresses of all pages, for search engines."""
    if exception or app.builder.name != "html" or not app.config.html_baseurl:
        return
    addresses = [
        app.config.html_baseurl + app.builder.get_target_uri(name)
        for name in sorted(app.env.found_docs)
    ]
    listed = "".join(f"<url><loc>{escape(address)}</loc></url>\n" for address in addresses)
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{listed}</urlset>\n'
    )
    write_whole(Path(app.outdir, "sitemap.xml"), text.encode())


def setup(app):
    """Connect after the extension that writes the figures."""
    app.connect("config-inited", _configure)
    app.connect("html-page-context", _describe, priority=600)
    app.connect("build-finished", _map)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
