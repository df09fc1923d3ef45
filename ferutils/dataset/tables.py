"""A file of many faces, CSV in any dialect, Parquet or NumPy -> images with what it says of them.

Reads a stream; writes nothing but an unnamed temporary file.
"""

import csv
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, PIXELS, SPLITS, _error, _words
from ferutils.dataset.images import cause, grey_levels
from ferutils.dataset.naming import EMOTION_WORDS, SPLIT_WORDS, emotion

FORMS = (
    "fer2013.csv, icml_face_data.csv or a folder of images, as they are or in a zip or tar archive"
)
DOWNLOAD_AGAIN = "Download it again, or unpack it yourself and give the folder."
COLUMNS = {  # of the challenge's file -> names that it has in copies
    "emotion": ("emotion", "emotions", "label", "labels"),
    "pixels": ("pixels", "pixel", "image", "img", "img_bytes", "image_bytes"),
    "usage": ("usage", "split"),
}
MAX_LINE_BYTES = 2**16  # of one CSV row; the real ones have at most 9.3 kB
MAX_BLANK_LINES = 10_000
LABELS = EMOTION_WORDS | {
    f"{label}{end}": label for label in range(len(EMOTIONS)) for end in ("", ".0", ",0")
}
OF_PIXELS = "Use fer2013.csv or icml_face_data.csv as published."
VOTED = ("usage", "image name", "nf")  # some columns of FER+
OF_VOTES = (
    "These are the votes of FER+, which has no images. Give it beside FER-2013's own CSV: "
    "FER2013=fer2013.csv FERPLUS=fer2013new.csv ferutils measure crowd."
)
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
    lines = io.TextIOWrapper(stream, _encoding(stream.peek()[:4]), errors="replace")
    header, number = lines.readline(MAX_LINE_BYTES), 1
    if header.lower().startswith("sep="):  # a spreadsheet's own line
        header, number = lines.readline(MAX_LINE_BYTES), 2
    separator = max(",;\t|", key=header.count)
    columns, width = _columns(header, separator, source)
    blank = 0
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
            file = parquet.ParquetFile(whole)
            columns = _found(file.schema_arrow.names)
            if columns["pixels"] is None:
                raise LookupError(f"without pixels: {_words(file.schema_arrow.names)[:80]}")
            classes = _classes(file.schema_arrow.metadata or {})
            asked = [column for column in columns.values() if column]
            for batch in file.iter_batches(256, columns=asked):
                for values in batch.to_pylist():
                    row = (values.get(column) for column in columns.values())
                    yield _parse_parquet(*row, classes, source)
        except (pyarrow.ArrowException, LookupError, TypeError, OSError) as problem:
            received = f"{source!r}, which cannot be read so ({cause(problem)})"
            expected = "a Parquet file with the columns image (encoded) and label"
            raise _error(expected, received, "Or give fer2013.csv from Kaggle.") from problem


def read_array(stream: BinaryIO, source: str) -> Iterator[Row]:
    """The images of a NumPy file, without split or label; no row where it holds other numbers.

    Raises:
        ValueError: the file is damaged or cut off, or holds pickled objects.
    """
    try:
        version = np.lib.format.read_magic(stream)
        header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else (np.lib.format.read_array_header_2_0)
        )
        shape, by_column, kind = header(stream)
    except Exception as problem:  # numpy raises many kinds for damaged bytes
        received = f"{source!r}, whose header cannot be read ({type(problem).__name__})"
        raise _error("a whole NumPy file", received, DOWNLOAD_AGAIN) from problem
    if kind.hasobject:
        received = f"{source!r}, a file that holds pickled objects"
        remedy = "Pickles are never loaded, because they can run code; give one of the forms named."
        raise _error(f"one of {FORMS}", received, remedy)
    if kind != np.uint8 or by_column or len(shape) < 2 or np.prod(shape[1:]) != PIXELS:
        return
    for _ in range(shape[0]):
        pixels = stream.read(PIXELS)
        if len(pixels) < PIXELS:
            raise _error(f"{shape[0]:,} images in {source!r}", "fewer", DOWNLOAD_AGAIN)
        yield Row(pixels, None, None)


def _classes(metadata: dict[bytes, bytes]) -> list[str]:
    """What Hugging Face's numbers of classes mean, mostly in alphabetical order; else nothing."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return next(list(one["names"]) for one in features.values() if "names" in one)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration):
        return []


def _parse_parquet(label: Any, image: Any, usage: Any, classes: list[str], source: str) -> Row:
    content = image["bytes"] if isinstance(image, dict) else image
    if not isinstance(content, (bytes, str)):
        raise TypeError(f"an image as {type(content).__name__}")
    text = isinstance(content, str)
    pixels = _levels(content.encode()) if text else grey_levels(content, source)
    if label in (None, -1):  # -1: unknown
        return Row(pixels, None, None)
    word = str(classes[label] if classes and isinstance(label, int) else label).lower()
    number = LABELS.get(word, emotion(word))
    if number is None:
        raise LookupError(f"the label {_shown(word)}")
    return Row(pixels, SPLIT_WORDS.get(str(usage).lower()), number)


def _encoding(start: bytes) -> str:
    """By the mark at the start, or by where the zeros of its first characters are."""
    marks = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32"}
    marks |= {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    zeros = tuple(not byte for byte in start)
    without = {(False, True, True, True): "utf-32-le", (True, True, True, False): "utf-32-be"}
    without |= {(False, True, False, True): "utf-16-le", (True, False, True, False): "utf-16-be"}
    marked = next((name for mark, name in marks.items() if start.startswith(mark)), None)
    return marked or without.get(zeros, "utf-8-sig")


def _columns(header: str, separator: str, source: str) -> tuple[list[int | None], int]:
    """Positions of emotion, pixels and usage in a row, and the number of columns."""
    if not header:
        raise _error(f"the columns {_words(COLUMNS)}", f"{source!r}, an empty file", "Get another.")
    names = [name.strip(' "\r\n\ufeff').lower() for name in _fields(header, separator)]
    found = [name and names.index(name) for name in _found(names).values()]
    if found[1] is None:
        missing = [column for column, place in zip(COLUMNS, found) if place is None]
        expected = f"a first line with the columns {_words(COLUMNS)} in {source!r}"
        received = f"{header.strip()[:80]!r}, without {_words(missing)}"
        raise _error(expected, received, OF_VOTES if set(VOTED) <= set(names) else OF_PIXELS)
    return found, len(names)


def _found(names: list[str]) -> dict[str, str | None]:
    """Which of these columns is each of `COLUMNS`."""
    return {
        column: next((name for name in names if name.lower() in known), None)
        for column, known in COLUMNS.items()
    }


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
    if b"." in pixels:  # as 87.0, or 87. as NumPy prints it
        pixels = re.sub(rb"\.0*(?![0-9])", b"", pixels)
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


# What reads a kind of file, as `containers.kind_of` calls it.
ROWS = {"table": read_csv, "parquet": read_parquet, "array": read_array}
