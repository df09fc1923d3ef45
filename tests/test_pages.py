"""An executed notebook becomes a page without what names the machine, whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from helpers import EXPLAINED
from nbformat import v4

from ferutils import paths
from ferutils.site import pages

MACHINE = "/home/somebody/fer"


def executed_cell(source, number=1, **cell):
    papermill = {"start_time": "2026-01-02T03:04:05", "duration": 1.5, "status": "completed"}
    metadata = {"papermill": papermill, "tags": ["hide-input"], "execution": {"shell": "now"}}
    outputs = [v4.new_output("stream", text="shown\n")]
    made = {"execution_count": number, "metadata": metadata, "outputs": outputs}
    return v4.new_code_cell(source, **made | cell)


def write(folder, *cells):
    """An executed notebook as papermill leaves it."""
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Title"), *cells])
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "papermill": {
                "input_path": f"{MACHINE}/notebooks/shallow.ipynb",
                "output_path": f"{MACHINE}/_build/executed/shallow.ipynb",
                "parameters": {"data": f"{MACHINE}/fer2013.csv"},
                "environment_variables": {},
            },
        }
    )
    path = folder / "executed.ipynb"
    nbformat.write(notebook, path)
    return path


def test_a_page_keeps_what_a_reader_sees(tmp_path):
    pages.publish(write(tmp_path, executed_cell("print('shown')")), tmp_path / "page.ipynb")
    page = nbformat.read(tmp_path / "page.ipynb", as_version=4)
    nbformat.validate(page)
    assert [cell.source for cell in page.cells] == ["# Title", "print('shown')"]
    assert page.cells[1].outputs[0].text == "shown\n"
    assert page.cells[1].metadata == {"tags": ["hide-input"]}
    assert page.metadata.kernelspec.name == "python3"


def test_a_page_names_no_path_and_no_time(tmp_path):
    pages.publish(write(tmp_path, executed_cell("1 + 1")), tmp_path / "page.ipynb")
    text = (tmp_path / "page.ipynb").read_text(encoding="utf-8")
    for word in (MACHINE, str(tmp_path), "papermill", "03:04:05", "duration"):
        assert word not in text


def test_the_same_execution_gives_the_same_page(tmp_path):
    executed = write(tmp_path, executed_cell("1 + 1"))
    for name in ("one", "two"):
        pages.publish(executed, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


FAILED = v4.new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])
REFUSED = {
    "not executed": [executed_cell("1 + 1"), executed_cell("2 + 2", None)],
    "failed": [executed_cell("1 + 1"), executed_cell("2 + 2", 2, outputs=[FAILED])],
}


@pytest.mark.parametrize("cells", REFUSED.values(), ids=REFUSED)
def test_an_execution_that_did_not_succeed_makes_no_page(tmp_path, cells):
    page = tmp_path / "pages" / "page.ipynb"
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        pages.publish(write(tmp_path, *cells), page)
    assert "2 + 2" in str(refusal.value)
    assert not page.parent.exists()


def test_an_empty_cell_need_not_be_executed(tmp_path):
    cells = [executed_cell("1 + 1"), v4.new_code_cell("")]
    pages.publish(write(tmp_path, *cells), tmp_path / "page.ipynb")
    assert (tmp_path / "page.ipynb").is_file()


def test_the_folder_of_the_pages_is_made(tmp_path):
    page = tmp_path / "book" / "pages" / "page.ipynb"
    pages.publish(write(tmp_path, executed_cell("1 + 1")), page)
    assert [file.name for file in page.parent.iterdir()] == ["page.ipynb"]


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    executed, page = write(tmp_path, executed_cell("1 + 1")), tmp_path / "page.ipynb"
    page.write_text("the old page")

    def disk_full(file):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space"):
        pages.publish(executed, page)
    assert page.read_text() == "the old page"
    assert sorted(tmp_path.iterdir()) == [executed, page]


def test_it_works_from_the_command_line(tmp_path):
    executed, page = write(tmp_path, executed_cell("1 + 1")), tmp_path / "page.ipynb"
    command = [sys.executable, "-m", "ferutils.site.pages", str(executed), str(page)]
    subprocess.run(command, check=True)
    assert len(nbformat.read(page, as_version=4).cells) == 2


def failed_page(folder, *cells, name="page.ipynb"):
    """The page that is made all the same of an execution that did not succeed."""
    page = folder / name
    pages.publish(write(folder, *cells), page, keep_going=True)
    return nbformat.read(page, as_version=4)


@pytest.mark.parametrize("cells", REFUSED.values(), ids=REFUSED)
def test_kept_going_the_page_says_at_its_top_what_failed(tmp_path, cells):
    page = failed_page(tmp_path, *cells)
    nbformat.validate(page)
    assert "not whole" in page.cells[1].source and "2 + 2" in page.cells[1].source
    assert "2 + 2" in pages.failure(tmp_path / "page.ipynb")


def test_kept_going_the_failing_cell_is_shown_with_its_error(tmp_path):
    failing = failed_page(tmp_path, *REFUSED["failed"]).cells[-1]
    assert failing.outputs == [FAILED]
    assert "hide-input" not in failing.metadata.tags


def test_an_error_names_no_folder_of_the_machine(tmp_path):
    where = (
        f"File {paths.ROOT}/ferutils/dataset/reading.py, File {Path.home()}/x, {sys.prefix}/lib/y"
    )
    error = v4.new_output("error", ename="ValueError", evalue=where, traceback=[where])
    failed_page(tmp_path, executed_cell("2 + 2", outputs=[error]))
    text = (tmp_path / "page.ipynb").read_text(encoding="utf-8")
    assert "ferutils/dataset/reading.py" in text
    assert all(str(folder) not in text for folder in (paths.ROOT, Path.home(), sys.prefix))


def test_kept_going_papermills_own_marks_are_left_out(tmp_path):
    mark = v4.new_markdown_cell("<span>Exception</span>", metadata={"tags": [pages.MARKER]})
    page = failed_page(tmp_path, mark, *REFUSED["failed"])
    assert "<span>" not in "".join(cell.source for cell in page.cells)


def test_kept_going_a_whole_execution_makes_the_same_page(tmp_path):
    executed = write(tmp_path, executed_cell("1 + 1"))
    pages.publish(executed, tmp_path / "one")
    pages.publish(executed, tmp_path / "two", keep_going=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert pages.failure(tmp_path / "one") == pages.failure(tmp_path / "no page") == ""
