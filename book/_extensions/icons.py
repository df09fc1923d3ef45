"""Draws the report's icons with fonts of those alone that it uses.

Reads the built pages, scripts and styles, and the theme's fonts of all icons; writes these fonts
cut down to what is used into _static/icons.css. With it the report needs neither the theme's script
of all icons nor JavaScript for any. A browser that misses an icon there takes the theme's font.
"""

import base64
import re
from collections import defaultdict
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError

from ferutils.storage import write_whole

# The classes of an icon's style, by the word for it in the name of the font's file.
STYLES = {
    "solid": {"fa", "fas", "fa-solid"},
    "regular": {"far", "fa-regular"},
    "brands": {"fab", "fa-brands"},
}
LICENCE = re.compile(r"/\*!\s*\* Font Awesome Free.*?\*/", re.DOTALL)
FONT = re.compile(r"@font-face\{[^}]*src:(?P<source>url\((?P<place>[^)]*)\.woff2\)[^}]*)\}")
ICON = re.compile(r'(?P<names>(?:\.fa-[\w-]+:before,?)+)\{content:"(?P<character>[^"]*)"\}')
CLASSES = re.compile(r"""["'`]([\w\s-]*\bfa-[\w\s-]*)["'`]""")
CHARACTER = re.compile(r'"(\\[ef][0-9a-f]{3}|[\ue000-\uf8ff])"')


def _write(app, exception):
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    content = style_sheet(folder / "_static", folder.rglob("*.html"))
    write_whole(folder / "_static" / "icons.css", content.encode())


def style_sheet(static, pages):
    """The style sheet with the fonts of the icons that are used, below the theme's licence note.

    Args:
        static: the folder of the report's styles, scripts and fonts.
        pages: the files of its pages.

    Raises:
        ExtensionError: an icon is used that the theme does not have.
    """
    file = static / "styles" / "pydata-sphinx-theme.css"
    theme = file.read_text(encoding="utf-8")
    rules = [LICENCE.search(theme)[0]]
    scripts = [one for one in static.rglob("*.js") if one.name != "fontawesome.js"]
    named, drawn = _named(theme, [*pages, *scripts]), _drawn_by_styles(static.rglob("*.css"))
    for font in FONT.finditer(theme):
        whole = TTFont(file.parent / f"{font['place']}.ttf", recalcTimestamp=False)
        has = {chr(code) for code in whole.getBestCmap()}
        used = named[next(style for style in STYLES if style in font["place"])]
        used |= {icon: drawn.pop(icon) for icon in has & {*drawn}}
        _check({icon: where for icon, where in used.items() if icon not in has})
        if used:
            rules.append(font[0].replace(font["source"], f"url({_cut_down(whole, used)})"))
    _check(drawn)
    return "\n".join(rules) + "\n"


def _named(theme, files):
    """The characters of the icons that are named by classes, with where each is, by style."""
    named, characters = defaultdict(dict), _characters(theme)
    known = set(re.findall(r"\.(fa-[\w-]+)", theme))
    for file in files:
        for classes in map(str.split, CLASSES.findall(file.read_text(encoding="utf-8"))):
            style = next((one for one, own in STYLES.items() if own & {*classes}), "solid")
            icons = {name: f"{name} in {file.name}" for name in classes if name.startswith("fa-")}
            _check({name: where for name, where in icons.items() if name not in known})
            # What is known and has no character is a style, a size or the like.
            named[style] |= {
                characters[name]: where for name, where in icons.items() if name in characters
            }
    return named


def _characters(theme):
    """The character of each icon of the theme, by the icon's class."""
    return {
        name: _character(rule["character"])
        for rule in ICON.finditer(theme)
        for name in re.findall(r"fa-[\w-]+", rule["names"])
    }


def _character(written):
    """A character of a style sheet, which writes it as itself or by its number."""
    number = re.fullmatch(r"\\([0-9a-f]+) ?", written)
    return chr(int(number[1], 16)) if number else written[-1]


def _drawn_by_styles(files):
    """The characters that styles draw before or behind an element, with where each is."""
    return {
        _character(written): f"{written!a} in {file.name}"
        for file in files
        for written in CHARACTER.findall(ICON.sub("", file.read_text(encoding="utf-8")))
    }


def _check(missing):
    if missing:
        raise ExtensionError(
            f"Expected icons of the theme's Font Awesome. Received: {', '.join(missing.values())}. "
            "Correct the name or the style of the icon there."
        )


def _cut_down(font, characters):
    """A font with these characters alone, as an address that holds it."""
    options = Options(flavor="woff", name_IDs=["*"], layout_features=[], notdef_outline=False)
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(characters))
    subsetter.subset(font)
    font.flavor, content = options.flavor, BytesIO()
    font.save(content)
    return f"data:font/woff;base64,{base64.b64encode(content.getvalue()).decode()}"


def setup(app):
    """Load the style sheet on every page, and write it after the pages that it depends on."""
    app.add_css_file("icons.css")
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
