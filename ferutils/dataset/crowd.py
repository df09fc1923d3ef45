"""FER+: ten people's votes on each image of FER-2013, in the order of the dataset's images.

Reads fer2013new.csv, and FER-2013 as its CSV; writes nothing.

Source: E. Barsoum, C. Zhang, C. Canton Ferrer and Z. Zhang, "Training Deep Networks for Facial
Expression Recognition with Crowd-Sourced Label Distribution", ICMI (2016).
"""

import csv
import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import cohen_kappa_score

from ferutils.dataset import reading
from ferutils.dataset.fer2013 import SPLITS, Dataset, _error, _message, _words

# What people could choose: the emotions by label, then what FER-2013 has no label for.
CHOICES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
CHOICES += ("contempt", "unknown", "NF")  # NF: no face
VOTES = 10  # an image
MOST_BYTES = 2**23  # of fer2013new.csv, which has 1.6 MB
# FER+ names an image by its row in the original fer2013.csv. The column Usage of both hardly tells
# whether rows were sorted, because the splits are blocks; the votes do: with the rows in another
# order, crowd and labels agree as by chance, a kappa of 0. A few rows out of place are not seen.
BLOCK = 1000  # rows or a few more
LEAST_KAPPA = 0.3
DOWNLOAD = "Download fer2013new.csv from github.com/microsoft/FERPlus."


class Crowd(NamedTuple):
    """The published FER-2013 with the votes on its images.

    Attributes:
        dataset: the images.
        votes: by split, uint8 (n, 10) in the order of `CHOICES`, a row for each image, 1 to 10
            votes each.
        kappa: Cohen's, of the labels and the crowd's first choice, in the block of rows where it is
            lowest.
        sha256: of the file of votes.
    """

    dataset: Dataset
    votes: dict[str, np.ndarray]
    kappa: float
    sha256: str


def load(fer2013: str | None, ferplus: str | None) -> Crowd:
    """Read FER-2013 and FER+, and bring the votes into the canonical order of the images.

    Of images that are equal, label and all, the first row's stands first.

    Args:
        fer2013: the path of the published CSV in its original order of rows.
        ferplus: the path of fer2013new.csv.

    Raises:
        FileNotFoundError: there is nothing at one of the paths.
        ValueError: one was not given, or is not what it should be; or the rows of both files do
            not belong together.
    """
    usage, votes, sha256 = read(ferplus)
    dataset, rows = reading.load_rows(fer2013)
    _check_usage(usage, [row.split for row in rows])
    kappa = _least_kappa(np.array([row.label for row in rows]), votes.argmax(axis=1))
    order = sorted(range(len(rows)), key=lambda n: (rows[n].label, rows[n].pixels))
    own = {split: [n for n in order if rows[n].split == split] for split in SPLITS}
    return Crowd(dataset, {split: votes[own[split]] for split in SPLITS}, kappa, sha256)


def read(path: str | None) -> tuple[list[str], np.ndarray, str]:
    """The votes of FER+ in the order of the file.

    Returns:
        Of each row its Usage, and its votes, uint8 (n, 10), in the order of `CHOICES`; and the
        SHA-256 of the file.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: no path was given, or the file is no table of votes; the message names the line.
    """
    expected = "the path of FER+, fer2013new.csv"
    if not path:
        raise _error(expected, "none", "Give it as FERPLUS=PATH.")
    source = Path(path).expanduser()
    if not source.is_file():
        raise FileNotFoundError(_message(expected, f"{path!r}, no file", DOWNLOAD))
    with source.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        expected = f"at most {MOST_BYTES:,} bytes in {source.name!r}"
        raise _error(expected, "more", DOWNLOAD)
    lines = csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace")))
    try:
        usage, votes = _rows(lines, source.name)
    except csv.Error as problem:
        expected = f"a row of votes in line {lines.line_num:,} of {source.name!r}"
        raise _error(expected, str(problem), DOWNLOAD) from None
    return usage, np.array(votes, np.uint8), hashlib.sha256(content).hexdigest()


def _rows(lines, name: str) -> tuple[list[str], list[list[int]]]:
    head = [column.strip() for column in next(lines, [])]
    wanted = ("Usage", *CHOICES)
    missing = [column for column in wanted if column not in head]
    if missing:
        expected = f"a first line with the columns {_words(wanted)} in {name!r}"
        raise _error(expected, f"none of {_words(missing)}", DOWNLOAD)
    usage, votes = [], []
    for fields in filter(None, lines):
        row = dict(zip(head, map(str.strip, fields)))
        counts = [row.get(choice, "") for choice in CHOICES]
        told = all(one.isascii() and one.isdigit() and len(one) <= 2 for one in counts)
        if not told or not 1 <= sum(map(int, counts)) <= VOTES:
            expected = f"numbers of votes, together 1 to {VOTES}, in line {lines.line_num:,}"
            received = ", ".join(one[:12] or "nothing" for one in counts)
            raise _error(f"{expected} of {name!r}", received, DOWNLOAD)
        usage.append(row["Usage"])
        votes.append([int(one) for one in counts])
    if not votes:
        raise _error(f"rows of votes in {name!r}", "none", DOWNLOAD)
    return usage, votes


def _check_usage(usage: list[str], splits: list[str]) -> None:
    if len(usage) != len(splits):
        expected = f"{len(splits):,} rows of votes, one for each row of FER-2013"
        raise _error(expected, f"{len(usage):,} rows", DOWNLOAD)
    for number, (said, split) in enumerate(zip(usage, splits), start=1):
        if said != split:
            expected = f"the same Usage in both files, as {split} in row {number:,} of FER-2013"
            raise _error(expected, f"{said[:40]!r} in FER+", _not_in_order())


def _least_kappa(labels: np.ndarray, first: np.ndarray) -> float:
    blocks = np.array_split(np.arange(len(labels)), max(1, len(labels) // BLOCK))
    found = [_kappa(labels[block], first[block]) for block in blocks]
    least = int(np.argmin(found))
    if found[least] < LEAST_KAPPA:
        start, end = blocks[least][[0, -1]] + 1
        expected = "rows of FER-2013 in their original order, in which labels and votes agree"
        received = (
            f"rows {start:,} to {end:,}, in which they agree little more than by chance (Cohen's "
            f"kappa {found[least]:.2f}, at least {LEAST_KAPPA} is expected)"
        )
        raise _error(expected, received, _not_in_order())
    return found[least]


def _kappa(labels: np.ndarray, first: np.ndarray) -> float:
    """Cohen's kappa; 0 where all rows have one label, which tells nothing."""
    if len(np.unique(labels)) == 1:
        return 0.0
    return float(cohen_kappa_score(labels, first))


def _not_in_order() -> str:
    return (
        "FER+ names an image by its row alone, and one of the files was sorted or cut: give "
        "fer2013.csv from Kaggle and fer2013new.csv from github.com/microsoft/FERPlus unchanged."
    )
