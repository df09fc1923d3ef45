"""Keeps the report readable with no network: drops the scripts of live code cells (Thebe).

Jupyter Book adds them to every page, twice, with the address of a host of theirs, whether or not
the book has live code.
"""


def _drop_thebe(app, pagename, templatename, context, doctree):
    context["script_files"] = [
        script
        for script in context.get("script_files", [])
        if "thebe" not in f"{script} {getattr(script, 'attributes', '')}".lower()
    ]


def setup(app):
    """Connect after the extensions that add scripts to single pages."""
    app.connect("html-page-context", _drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
