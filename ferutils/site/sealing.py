"""Sums of what the report is made of and of what was made, so that content decides, not dates.

Reads files; writes one list of sums. Used as `python -m ferutils.site.sealing FOLDER LIST`.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ferutils import storage


def digest(files: Iterable[str | Path]) -> str:
    """SHA-256 (hex) of the names and contents of files, in any order; missing ones count too."""
    named = sorted((str(file), _sum(str(file))) for file in files)
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


@cache  # every page is made of the same package and records
def _sum(file: str) -> str:
    path = Path(file)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def seal(folder: Path, listed: Path) -> None:
    """Write the sum of every file in a folder, but for the report on paper, printed later."""
    sums = {
        file.relative_to(folder).as_posix(): _sum(str(file))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".pdf"
    }
    storage.write_whole(listed, json.dumps(sums, indent=0).encode())


def is_whole(folder: Path, listed: Path) -> bool:
    """Whether each file of a folder is as it was when it was sealed."""
    try:
        sums = json.loads(listed.read_bytes())
    except (OSError, ValueError):
        return False
    return all(_sum(str(folder / name)) == found for name, found in sums.items())


if __name__ == "__main__":
    seal(Path(sys.argv[1]), Path(sys.argv[2]))
