"""Links the first use of each term of the glossary on a page to its entry.

A rule, so that prose, captions and generated texts need no mark. Headings, lines that unfold,
tables, code, links and the small print on where numbers come from stay as they are.
"""

import re

from docutils import nodes
from sphinx.util.osutil import relative_uri

GLOSSARY = "glossary"
KEPT = (
    nodes.FixedTextElement,
    nodes.Invisible,
    nodes.literal,
    nodes.math,
    nodes.raw,
    nodes.reference,
    nodes.tgroup,  # the cells of a table; its title may have a link
)
KEPT_CLASSES = {"origin", "sd-summary-text", "sd-summary-title"}


def _link(app, doctree, docname):
    entries = _entries(app.env.get_domain("std").objects)
    if app.builder.format != "html" or docname == GLOSSARY or not entries:  # a book may have none
        return
    pattern = _pattern(entries)
    address = _address(app, docname)
    open_terms = set(entries)
    for text in list(doctree.findall(nodes.Text)):
        parts, rest = [], 0
        for found in pattern.finditer(_typed(text)):
            term = _term(found[1], entries)
            if term in open_terms and not _is_kept(text):
                open_terms.remove(term)
                parts += [nodes.Text(text[rest : found.start()])]
                parts += [_reference(text[slice(*found.span())], f"{address}#{entries[term]}")]
                rest = found.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[rest:])])


def _entries(objects):
    """The anchor of each term's entry, by the term as it is typed."""
    return {_typed(name): at for (kind, name), (_, at) in objects.items() if kind == "term"}


def _typed(text):
    """With the apostrophe of the keyboard, which Sphinx has made a curved one in texts."""
    return text.replace("’", "'")


def _pattern(terms):
    """Finds a term, also in the plural and at the beginning of a sentence; the longest first."""
    forms = [
        f"[{one[0].upper()}{one[0]}]{re.escape(one[1:])}" for one in sorted(terms, key=len)[::-1]
    ]
    return re.compile(rf"(?<![\w-])({'|'.join(forms)})s?(?![\w-])")


def _term(form, terms):
    return form if form in terms else form[0].lower() + form[1:]


def _is_kept(node):
    """Whether a text stands where nothing is linked."""
    while node := node.parent:
        heading = isinstance(node, nodes.title) and not isinstance(node.parent, nodes.table)
        if heading or isinstance(node, KEPT) or KEPT_CLASSES.intersection(node.get("classes", ())):
            return True
    return False


def _address(app, docname):
    target = app.builder.get_target_uri(GLOSSARY)
    return relative_uri(app.builder.get_target_uri(docname), target)


def _reference(text, target):
    inline = nodes.inline("", text)
    return nodes.reference("", "", inline, refuri=target, internal=True, classes=["term"])


def setup(app):
    """Change pages once their references are resolved."""
    app.connect("doctree-resolved", _link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
