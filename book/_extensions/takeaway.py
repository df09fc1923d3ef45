"""Gives every notebook page its notebook to take away, with the reproduction's folder beside it.

Offers Colab and Binder where the public repository is known, and every page a way to the citation.
"""

import importlib.metadata
import shutil
from pathlib import Path

import nbformat

from ferutils import storage
from ferutils.records import provenance
from ferutils.site import exporting, printing

FOLDER = "_downloads"
# What .github/workflows/report.yml writes: the reproduction's files, and the notebooks in pages/.
BRANCH = "notebooks"
# Printed once the pages are there, where a browser can: by file, what it is.
PDF = {"report.pdf": "whole report, .pdf", "summary.pdf": "summary on two pages, .pdf"}


def _configure(app, config):
    """Name the repository to the theme, which makes the links."""
    repository = provenance.repository()
    if repository:
        config.html_theme_options |= {
            "repository_url": f"https://github.com/{repository}",
            "repository_branch": BRANCH,
            "path_to_docs": "",
            "launch_buttons": {
                "notebook_interface": "jupyterlab",
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
            },
        }


def _offer(app, pagename, templatename, context, doctree):
    """Lead to changes and citation in the footer, to notebook and PDF in the download menu."""
    to = context["pathto"]
    cite = to("reproduce").removesuffix("#") + "#cite"  # "#" is how a page names itself
    version = importlib.metadata.version("ferutils")
    context["theme_extra_footer"] = (
        f'<p>Version {version} · <a href="{to("log")}">What changed</a> · '
        f'<a href="{cite}">Cite this report</a></p>'
    )
    groups = {group["label"]: group.get("buttons", []) for group in context["header_buttons"]}
    buttons = groups.get("download-buttons", [])  # none where there is no source, as in the search
    if buttons and printing.browser():
        buttons += [
            {
                "type": "link",
                "text": text,
                "icon": "fas fa-book",
                "tooltip": f"Download: {text}",
                "label": f"download-{Path(file).stem}-button",
                "url": to(file, resource=True),
            }
            for file, text in PDF.items()
        ]
    if context.get("page_source_suffix") != ".ipynb":
        return
    own = next(one for one in buttons if one.get("label") == "download-source-button")
    own["tooltip"] = "Download the notebook of this page"
    own["url"] = to(f"{FOLDER}/{Path(pagename).name}.ipynb", resource=True)


def _export(app, exception):
    """Write the notebooks and the reproduction; they replace the pages that Sphinx copies."""
    if exception or app.builder.name != "html":
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(exist_ok=True)
    storage.write_whole(folder / exporting.ARCHIVE, exporting.reproduction())
    for name in app.env.found_docs:
        page = Path(app.env.doc2path(name))
        if page.suffix == ".ipynb":
            text = nbformat.writes(exporting.notebook(page)) + "\n"
            storage.write_whole(folder / page.name, text.encode())
    shutil.rmtree(Path(app.outdir) / "_sources" / "pages", ignore_errors=True)


def setup(app):
    """Connect after the theme, which makes the menus."""
    app.connect("config-inited", _configure)
    app.connect("html-page-context", _offer, priority=600)
    app.connect("build-finished", _export)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
