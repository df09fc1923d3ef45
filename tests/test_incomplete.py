"""A page that failed, and the first page, say so in the book."""

import nbformat
import pytest
from browsing import sphinx
from nbformat import v4

from ferutils.site import pages

pytestmark = pytest.mark.slow
CONFIG = """
extensions = ["myst_nb", "incomplete"]
nb_execution_mode = "off"
root_doc = "first"
exclude_patterns = ["_build"]
"""


def book(folder, **sources):
    """The pages of a small book, by name, as HTML; each source is the only cell of its page."""
    folder.mkdir()
    (folder / "conf.py").write_text(CONFIG)
    toc = "\n\n```{toctree}\n" + "\n".join(name for name in sources if name != "first") + "\n```"
    for name, outputs in sources.items():
        cells = [v4.new_markdown_cell(f"# The {name} page" + (toc if name == "first" else ""))]
        cells.append(v4.new_code_cell("answer()", execution_count=1, outputs=outputs))
        nbformat.write(v4.new_notebook(cells=cells), folder / "executed.ipynb")
        pages.publish(folder / "executed.ipynb", folder / f"{name}.ipynb", keep_going=True)
    (folder / "executed.ipynb").unlink()
    return sphinx(folder)


FAILED = [v4.new_output("error", ename="ValueError", evalue="`no` <b>", traceback=["somewhere"])]


def test_the_first_page_names_the_page_that_failed_and_the_page_shows_the_error(tmp_path):
    html = book(tmp_path / "book", first=[], other=FAILED, third=[])
    assert "This report is incomplete" in html["first"]
    assert 'href="other.html"' in html["first"] and "The other page" in html["first"]
    assert "This page is not whole" in html["other"] and "somewhere" in html["other"]
    assert "`no` &lt;b&gt;" in html["other"]
    assert "not whole" not in html["third"] and "incomplete" not in html["third"]


@pytest.mark.parametrize("ending", ["~~~", "~~~~~", "`" * 3, "`" * 9 + "\n~~~~"])
def test_an_error_brings_no_markup_into_the_page(tmp_path, ending):
    evalue = f"no file x\n{ending}\n<script>alert(1)</script>; rm -rf ~"
    outputs = [v4.new_output("error", ename="ValueError", evalue=evalue, traceback=[evalue])]
    page = book(tmp_path / "book", first=[], other=outputs)["other"]
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;; rm -rf ~" in page


def test_a_whole_book_says_nothing_of_the_kind_even_after_one_that_was_not(tmp_path):
    folder = tmp_path / "book"
    assert "incomplete" in book(folder, first=[], other=FAILED)["first"]
    page = nbformat.read(folder / "other.ipynb", as_version=4)
    page.metadata.pop("failed")
    nbformat.write(page, folder / "other.ipynb")
    assert "incomplete" not in sphinx(folder)["first"]
