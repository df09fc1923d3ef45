"""A table of faces, CSV in any dialect or Parquet -> images with what its rows say of them.

Reads a stream; writes nothing but an unnamed temporary file.
"""

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, PIXELS, SPLITS, _error, _words
from ferutils.dataset.images import cause, grey_levels
from ferutils.dataset.naming import EMOTION_WORDS, SPLIT_WORDS

COLUMNS = {  # of the challenge's file -> names that it has in copies
    "emotion": ("emotion", "emotions", "label"),
    "pixels": ("pixels", "pixel"),
    "usage": ("usage", "split"),
}
MAX_LINE_BYTES = 2**16  # of one CSV row; the real ones have at most 9.3 kB
MAX_BLANK_LINES = 10_000
LABELS = EMOTION_WORDS | {
    f"{label}{end}": label for label in range(len(EMOTIONS)) for end in ("", ".0")
}
BRACKETS = bytes.maketrans(b"[],;", b"    ")  # around and between the pixels of a saved list


class Row(NamedTuple):
    """One row: 2,304 grey levels, its split (or "test") and label (0..6), None if not told."""

    pixels: bytes
    split: str | None
    label: int | None


def read_csv(stream: io.BufferedReader, source: str) -> Iterator[Row]:
    """The rows of a CSV file: any separator, quoting, order of columns, UTF-8 or UTF-16.

    Args:
        stream: the file.
        source: its name, for messages.

    Raises:
        ValueError: there is no column of pixels, or a row is damaged; the message names its line.
    """
    start = stream.peek()[:2]
    encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if start[1:2] == b"\0":
        encoding = "utf-16-le"
    lines = io.TextIOWrapper(stream, encoding, errors="replace")
    header = lines.readline(MAX_LINE_BYTES)
    separator = max(",;\t|", key=header.count)
    columns, width = _columns(header, separator, source)
    blank, number = 0, 1
    while line := lines.readline(MAX_LINE_BYTES):
        number += 1
        if line.isspace():
            blank += 1
            if blank > MAX_BLANK_LINES:
                expected = f"at most {MAX_BLANK_LINES:,} blank lines in {source!r}"
                raise _error(expected, "more", "Use fer2013.csv as published.")
            continue
        try:
            yield _parse(_fields(line, separator), columns, width)
        except (ValueError, csv.Error) as problem:
            raise _row_error(source, number, line, problem) from None


def read_parquet(stream: BinaryIO, source: str) -> Iterator[Row]:
    """The rows of a Parquet file of encoded images, as Hugging Face has them.

    Raises:
        ValueError: pyarrow is not installed, or the file is damaged or has other columns.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        received = f"{source!r}, a Parquet file, and pyarrow is not installed"
        remedy = "Install it with: python -m pip install pyarrow. Or give fer2013.csv from Kaggle."
        raise _error("a form of FER-2013 that can be read", received, remedy) from None
    with tempfile.TemporaryFile() as whole:
        shutil.copyfileobj(stream, whole)
        try:
            for batch in parquet.ParquetFile(whole).iter_batches(256, columns=["image", "label"]):
                for row in batch.to_pylist():
                    yield Row(grey_levels(row["image"]["bytes"], source), None, row["label"])
        except (pyarrow.ArrowException, KeyError, TypeError, OSError) as problem:
            received = f"{source!r}, which cannot be read so ({cause(problem)})"
            expected = "a Parquet file with the columns image (encoded) and label"
            raise _error(expected, received, "Or give fer2013.csv from Kaggle.") from problem


def _columns(header: str, separator: str, source: str) -> tuple[list[int | None], int]:
    """Positions of emotion, pixels and usage in a row, and the number of columns."""
    if not header:
        raise _error(f"the columns {_words(COLUMNS)}", f"{source!r}, an empty file", "Get another.")
    names = [name.strip(' "\r\n\ufeff').lower() for name in _fields(header, separator)]
    found = [
        next((names.index(name) for name in known if name in names), None)
        for known in COLUMNS.values()
    ]
    if found[1] is None:
        missing = [column for column, place in zip(COLUMNS, found) if place is None]
        expected = f"a first line with the columns {_words(COLUMNS)} in {source!r}"
        received = f"{header.strip()[:80]!r}, without {_words(missing)}"
        raise _error(expected, received, "Use fer2013.csv or icml_face_data.csv as published.")
    return found, len(names)


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator)) if '"' in line else line.split(separator)


def _parse(fields: list[str], columns: list[int | None], width: int) -> Row:
    """The ValueError says what was expected and received."""
    if len(fields) != width:
        raise ValueError(f"{width} fields", f"{len(fields)} fields")
    label, pixels, usage = (
        None if column is None else fields[column].strip(' "\r\n') for column in columns
    )
    if label is not None and label.lower() not in LABELS:
        raise ValueError(f"an emotion from 0 to {len(EMOTIONS) - 1}", _shown(label))
    if usage is not None and usage.lower() not in SPLIT_WORDS:
        raise ValueError(f"a Usage out of {_words(SPLITS)}", _shown(usage))
    levels = _levels(pixels.encode().translate(BRACKETS))
    return Row(levels, usage and SPLIT_WORDS[usage.lower()], label and LABELS[label.lower()])


def _levels(pixels: bytes) -> bytes:
    if pixels.translate(None, b"0123456789 ") or not pixels.strip():
        raise ValueError(*_bad_pixels(pixels))
    values = np.fromstring(pixels, np.int64, sep=" ")  # wide, so that a huge number cannot wrap
    if values.size != PIXELS or values.max() > 255:
        raise ValueError(*_bad_pixels(pixels))
    return values.astype(np.uint8).tobytes()


def _bad_pixels(pixels: bytes) -> tuple[str, str]:
    words = pixels.split()
    for position, word in enumerate(words, start=1):
        if not word.isdigit() or len(word) > 3 or int(word) > 255:
            return "pixels from 0 to 255", f"{_shown(word.decode())} as pixel {position:,}"
    return f"{PIXELS:,} pixels ({IMAGE_SIZE} x {IMAGE_SIZE})", f"{len(words):,} pixels"


def _shown(field: str) -> str:
    return repr(field[:40])


def _row_error(source: str, number: int, line: str, problem: Exception) -> ValueError:
    expected, received = problem.args if len(problem.args) == 2 else ("a row", str(problem))
    if len(line) == MAX_LINE_BYTES:
        expected = f"a row of at most {MAX_LINE_BYTES:,} bytes"
        received = "a longer one"
    elif not line.endswith("\n"):
        received += "; the file seems to be cut off in this row"
    expected = f"{expected} in line {number:,} of {source!r}"
    return _error(expected, received, "Download the file again, or correct this row.")
