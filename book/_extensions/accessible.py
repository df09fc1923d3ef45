"""Gives parts of a page the roles and names that screen readers and voices know today.

docutils marks an entry of the bibliography as doc-biblioentry, which ARIA has deprecated, inside a
list, whose children must be list items. MyST-NB names what folds code otherwise than it reads.
"""

CHANGES = {
    'role="doc-biblioentry"': 'role="listitem"',
    '<summary aria-label="Toggle hidden content">': "<summary>",
}


def _rename(app, pagename, templatename, context, doctree):
    for old, new in CHANGES.items():
        if "body" in context:
            context["body"] = context["body"].replace(old, new)


def setup(app):
    """Change pages when their HTML is written."""
    app.connect("html-page-context", _rename)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
