"""Where things lie, the repository's own folders and the cache outside git; and whole writing.

Reads the environment variables FERUTILS_RUNS and FERUTILS_CACHE.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
NOTEBOOKS = ROOT / "notebooks"

# The records that the report is made of, kept in git.
RECORDED_RUNS = BOOK / "runs"


def cache() -> Path:
    """The folder for what can be made again (dataset cache, weights); never in git."""
    return Path(os.environ.get("FERUTILS_CACHE") or ROOT / ".cache")


def new_runs() -> Path:
    """The folder that new records are written to.

    The cache by default, so that a reader's experiment does not enter the report unasked; the
    study sets FERUTILS_RUNS to `book/runs`.
    """
    return Path(os.environ.get("FERUTILS_RUNS") or cache() / "runs")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.parent / f".{path.name}-{os.getpid()}.part"
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
