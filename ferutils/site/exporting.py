"""What a reader takes away: the notebook of a page, and the folder that it needs beside it.

Reads executed pages and the repository's own files; writes nothing.
"""

import io
import re
import zipfile
from pathlib import Path
from string import Template

import nbformat

from ferutils import paths
from ferutils.records import provenance

ARCHIVE = "reproduction.zip"
# What the package and its notebooks need anywhere, and `make book` too; tests stay behind.
TAKEN = (
    ".binder",
    ".ci",
    "CITATION.cff",
    "LICENSE",
    "Makefile",
    "README.md",
    "Snakefile",
    "_config.yml",
    "audit",
    "book",
    "ferutils",
    "notebooks",
    "profiles",
    "pyproject.toml",
    "requirements-gpu.txt",
    "requirements.txt",
)
# Of these, what git knows; records that are not committed yet; and where there is no git, what has
# the name of a file of ours. Nothing else is given away, whatever lies beside it.
RECORD = rf"book/(runs|backends/\w+)/{paths.RUN_ID}/(run\.json|history\.csv|predictions\.npz)"
OURS = (
    r"[^/]+|\.(binder|ci)/(run|postBuild|\w+\.txt)"
    r"|(audit|ferutils|notebooks|profiles)/[\w/-]+\.(py|bin|ipynb|yaml)"
    r"|book/(_static|_extensions)/[\w./-]+\.(py|css|js|svg|txt|md)"
    r"|book/[\w-]+\.(md|bib|yml|json)"
    r"|book/(baselines|crossvalidation|pretrained|probes|small)/[\w-]+\.(json|npz|yml)"
)
FIRST_CELL = Template("""\
# Lets this notebook run anywhere: where the package ferutils is not installed, it comes with all
# that it reads from $archive beside the notebook$or_else.
import importlib.util, shutil, subprocess, sys
from pathlib import Path

if importlib.util.find_spec("ferutils") is None:
    if Path("$archive").is_file():
        shutil.unpack_archive("$archive", "reproduction")$clone
    if not Path("reproduction").is_dir():
        raise ValueError(
            "Expected $archive beside this notebook$or_clone. "
            f"Received: nothing in {Path.cwd()}. "
            "Download it from the report's page 'Reproduce it yourself' into that folder."
        )
    sys.path.insert(0, str(Path("reproduction").resolve()))
if "google.colab" in sys.modules:
    from ferutils.site import elsewhere
    elsewhere.install_missing()""")
CLONE = Template("""
    elif not Path("reproduction").is_dir():
        subprocess.run(["git", "clone", "--quiet", "--depth=1", "$address", "reproduction"])""")


def notebook(page: Path) -> nbformat.NotebookNode:
    """The notebook of a page, to be executed on any machine.

    It has no outputs, because those of a page are made for the report. The parameters that the page
    was executed with are the defaults of its parameters cell.

    Args:
        page: an executed notebook, as papermill leaves it.
    """
    taken = nbformat.read(page, as_version=4)
    taken.metadata.pop("sha256", None)
    used = _tagged(taken, "injected-parameters")
    if used is not None:
        taken.cells.remove(used)
        defaults = _tagged(taken, "parameters")
        defaults.source = _with_values(defaults.source, used.source)
    for cell in taken.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    taken.cells.insert(0, nbformat.v4.new_code_cell(first_cell(), id="anywhere"))
    return taken


def _tagged(taken: nbformat.NotebookNode, tag: str) -> nbformat.NotebookNode | None:
    return next((cell for cell in taken.cells if tag in cell.metadata.get("tags", [])), None)


def _with_values(defaults: str, used: str) -> str:
    """The source of a parameters cell with the values of the injected one; comments stay."""
    for name, value in re.findall(r"^(\w+) = (.+)$", used, re.MULTILINE):
        line = re.compile(rf"^{name} = .+?(?=  # |$)", re.MULTILINE)
        defaults = line.sub(lambda _, text=f"{name} = {value}": text, defaults)
    return defaults


def first_cell() -> str:
    """The source of the cell that lets a notebook run where the package is not installed."""
    repository = provenance.repository()
    clone = CLONE.substitute(address=f"https://github.com/{repository}") if repository else ""
    return FIRST_CELL.substitute(
        archive=ARCHIVE,
        clone=clone,
        or_else=", else from the public repository" if repository else "",
        or_clone=" or a clone of the public repository" if repository else "",
    )


def files() -> list[Path]:
    """The files of the reproduction, relative to its folder, in order: nothing generated."""
    every = [
        file for name in TAKEN for file in (paths.ROOT / name, *(paths.ROOT / name).rglob("*"))
    ]
    names = {file.relative_to(paths.ROOT).as_posix() for file in every if file.is_file()}
    tracked = provenance.tracked()
    known = {one for one in names if re.fullmatch(OURS, one)} if tracked is None else tracked
    return sorted(Path(one) for one in names if one in known or re.fullmatch(RECORD, one))


def reproduction() -> bytes:
    """The reproduction's folder as a zip archive: the same bytes for the same files."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for file in files():
            entry = zipfile.ZipInfo(file.as_posix())  # dated 1980, whenever it was written
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (paths.ROOT / file).read_bytes(), zipfile.ZIP_DEFLATED)
    return whole.getvalue()
