"""Where things lie, the repository's own folders and the cache outside git.

Reads the environment variables FERUTILS_RUNS and FERUTILS_CACHE.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
NOTEBOOKS = ROOT / "notebooks"

# How the folder of a run is named: the network, then a hash.
RUN_ID = r"[a-z_]+-[0-9a-f]{12}"

# The records that the report is made of, kept in git.
RECORDED_RUNS = BOOK / "runs"


def cache() -> Path:
    """The folder for what can be made again (dataset cache, checkpoints, weights); never in git."""
    return Path(os.environ.get("FERUTILS_CACHE") or ROOT / ".cache")


def new_runs() -> Path:
    """The folder that new records are written to.

    The cache by default, so that a reader's experiment does not enter the report unasked; the
    study sets FERUTILS_RUNS to `book/runs`.
    """
    return Path(os.environ.get("FERUTILS_RUNS") or cache() / "runs")
