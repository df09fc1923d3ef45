"""An executed notebook -> a page of the book, without what names the machine it ran on.

Reads papermill's output; writes the page whole or not at all.
Used as `python -m ferutils.pages EXECUTED PAGE`.
"""

import os
import sys
from pathlib import Path

import nbformat


def publish(executed: Path, page: Path) -> None:
    """Write an executed notebook as a page.

    Papermill's metadata hold input and output paths, the parameters of earlier executions and
    times, and on the error stream libraries greet with process ids; none of it is for the reader.

    Args:
        executed: papermill's output.
        page: where the page goes; its folder is made.

    Raises:
        ValueError: a cell failed or was not executed.
    """
    notebook = nbformat.read(executed, as_version=4)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("hide-input")
        trouble = _trouble(cell)
        if trouble:
            raise ValueError(
                f"Expected every cell of {executed.name} to have run. Received: the cell "
                f"{cell.source.splitlines()[0]!r} {trouble}. Execute the notebook with papermill."
            )
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    page.parent.mkdir(parents=True, exist_ok=True)
    unfinished = page.with_name(f".{page.name}.unfinished")
    try:
        nbformat.write(notebook, unfinished)
        os.replace(unfinished, page)
    finally:
        unfinished.unlink(missing_ok=True)


def _trouble(cell: nbformat.NotebookNode) -> str:
    """What is wrong with an executed cell, "" where nothing is."""
    if cell.cell_type != "code" or not cell.source:
        return ""
    if cell.execution_count is None:
        return "was not executed"
    return "failed" if any(one.output_type == "error" for one in cell.outputs) else ""


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]))
