"""Gives the bibliography the roles that screen readers know today.

docutils marks an entry as doc-biblioentry, which ARIA has deprecated, inside a list, whose children
must be list items.
"""


def _entries_are_list_items(app, pagename, templatename, context, doctree):
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app):
    """Change pages when their HTML is written."""
    app.connect("html-page-context", _entries_are_list_items)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
