"""Says at the top of the first page that the report is incomplete, where a page failed.

The pages of a build with KEEP_GOING=1 hold in their metadata what failed; other builds have none.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx import addnodes


def _failed(env):
    """Each failed page and its trouble."""
    sources = {name: Path(env.doc2path(name)) for name in sorted(env.found_docs)}
    notebooks = {name: path for name, path in sources.items() if path.suffix == ".ipynb"}
    read = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in notebooks.items()}
    return {
        name: notebook["metadata"]["failed"]
        for name, notebook in read.items()
        if "failed" in notebook["metadata"]
    }


def _warn_on_the_first_page(app, doctree):
    if app.env.docname != app.config.root_doc:
        return
    failed = _failed(app.env)
    if failed:
        title = next(doctree.findall(nodes.title))
        title.parent.insert(title.parent.index(title) + 1, _warning(failed, app.config.root_doc))


def _warning(failed, root):
    lead = "What failed on these pages is missing from the report."
    listed = nodes.bullet_list()
    for name, trouble in failed.items():
        link = addnodes.pending_xref(
            "", nodes.inline("", name), refdomain="std", reftype="doc",
            reftarget=f"/{name}", refdoc=root, refexplicit=False,
        )  # fmt: skip
        listed += nodes.list_item("", nodes.paragraph("", "", link, nodes.Text(f": {trouble}")))
    title = nodes.title("", "This report is incomplete")
    return nodes.admonition("", title, nodes.paragraph("", lead), listed, classes=["error"])


def setup(app):
    """Look at the pages whenever the book is built."""
    app.connect("doctree-read", _warn_on_the_first_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
