"""An executed notebook -> a page of the book, without what names the machine it ran on.

Reads papermill's output; writes the page whole or not at all.
Used as `python -m ferutils.site.pages [--keep-going] EXECUTED PAGE`.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import click
import nbformat

from ferutils import paths, storage

MARKER = "papermill-error-cell-tag"  # of the cells that papermill adds to a failed notebook


def publish(executed: Path, page: Path, keep_going: bool = False) -> None:
    """Write an executed notebook as a page.

    Papermill's metadata hold input and output paths, the parameters of earlier executions and
    times, and on the error stream libraries greet with process ids; none of it is for the reader.

    Args:
        executed: papermill's output.
        page: where the page goes; its folder is made.
        keep_going: make a page of a failed notebook too, which says at its top that it failed.

    Raises:
        ValueError: a cell failed or was not executed.
    """
    notebook = nbformat.read(executed, as_version=4)
    trouble = next(filter(None, map(_trouble, notebook.cells)), "")
    if trouble and not keep_going:
        raise ValueError(
            f"Expected every cell of {executed.name} to have run. Received: {trouble}. "
            "Execute the notebook with papermill, or build with KEEP_GOING=1 to see the page."
        )
    notebook.cells = [
        _published(cell) for cell in notebook.cells if MARKER not in cell.metadata.get("tags", [])
    ]
    notebook.metadata.pop("papermill", None)
    if trouble:
        notebook.metadata["failed"] = trouble
        notebook.cells.insert(1, _warning(trouble))
    notebook.metadata["sha256"] = _sum(json.loads(nbformat.writes(notebook)))
    page.parent.mkdir(parents=True, exist_ok=True)
    storage.write_whole(page, nbformat.writes(notebook).encode())


def _sum(content: dict) -> str:
    """SHA-256 (hex) of a page but for the sum that it holds itself."""
    rest = {name: value for name, value in content["metadata"].items() if name != "sha256"}
    text = json.dumps(content | {"metadata": rest}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_whole(page: Path) -> bool:
    """Whether a page is what `publish` wrote."""
    try:
        content = json.loads(page.read_text(encoding="utf-8"))
        return content["metadata"]["sha256"] == _sum(content)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def failure(page: Path) -> str:
    """Why a page is not whole: its first cell that failed or did not run; "" where all ran."""
    if not page.is_file():
        return ""
    return json.loads(page.read_text(encoding="utf-8")).get("metadata", {}).get("failed", "")


def _trouble(cell: nbformat.NotebookNode) -> str:
    """Which cell it is and what is wrong with it, "" where nothing is."""
    if cell.cell_type != "code" or not cell.source:
        return ""
    errors = [one for one in cell.outputs if one.output_type == "error"]
    if cell.execution_count is not None and not errors:
        return ""
    happened = "was not executed"
    if errors:
        happened = _without_folders(f"failed with {errors[0].ename}: {errors[0].evalue}")
    return f"the cell {cell.source.splitlines()[0]!r} {happened}"


def _warning(trouble: str) -> nbformat.NotebookNode:
    """A cell for the top of the page; the error stands as plain text, whatever is in it."""
    inner, outer = (_longer_than_any(mark, trouble) for mark in "~`")
    text = f"What follows from it is missing below:\n\n{inner}text\n{trouble}\n{inner}"
    box = f"{outer}{{admonition}} This page is not whole\n:class: error\n{text}\n{outer}"
    return nbformat.v4.new_markdown_cell(box, id="failed")


def _longer_than_any(mark: str, text: str) -> str:
    """A fence of Markdown that nothing in a text ends."""
    longest = max(map(len, re.findall(f"{mark}+", text)), default=0)
    return mark * max(3, longest + 1)


def _published(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A cell without what papermill and the machine left in it."""
    cell.metadata.pop("papermill", None)
    cell.metadata.pop("execution", None)
    tags = cell.metadata.get("tags", [])
    if "injected-parameters" in tags:
        tags.append("hide-input")
    if cell.cell_type == "code":
        cell.outputs = [_nameless(one) for one in cell.outputs if one.get("name") != "stderr"]
    if any(one.output_type == "error" for one in cell.get("outputs", [])):
        cell.metadata["tags"] = [tag for tag in tags if not tag.startswith(("hide", "remove"))]
    return cell


def _nameless(output: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An error without the folders of the machine."""
    if output.output_type != "error":
        return output
    output.traceback = [_without_folders(line) for line in output.traceback]
    output.evalue = _without_folders(output.evalue)
    return output


def _without_folders(text: str) -> str:
    for folder in (str(paths.ROOT), sys.prefix, sys.base_prefix, str(Path.home())):
        text = text.replace(f"{folder}/", "").replace(folder, "")
    return text


@click.command()
@click.option("--keep-going", is_flag=True, help="Make a page of a failed notebook too.")
@click.argument("executed", type=click.Path(path_type=Path))
@click.argument("page", type=click.Path(path_type=Path))
def main(keep_going: bool, executed: Path, page: Path) -> None:
    """Write an executed notebook as a page of the book."""
    publish(executed, page, keep_going)


if __name__ == "__main__":
    main()
