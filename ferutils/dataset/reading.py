"""FER-2013 in any public form -> a checked dataset; the only knower of its formats.

Reads a CSV file, an image folder or an archive of either; writes nothing but an optional cache.
"""

import contextlib
import gzip
import hashlib
import io
import lzma
import os
import stat
import struct
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from PIL import Image

from ferutils.dataset.fer2013 import (
    EMOTIONS,
    IMAGE_SIZE,
    PIXELS,
    SPLITS,
    Dataset,
    _error,
    _from_records,
    _message,
    _split,
    _words,
    make_dataset,
)

FORMS = (
    "one of fer2013.csv, icml_face_data.csv, a folder of train/<emotion>/ and test/<emotion>/ "
    "images, as they are or as .zip, .tar.gz, .csv.gz or .csv.xz"
)
DOWNLOAD_AGAIN = "Download it again, or unpack it yourself and give the folder."
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")  # what an archive is searched for first
COLUMNS = ("emotion", "pixels", "usage")
FOLDER_NAMES = {  # of the image folders that circulate, lower case -> label
    **dict(zip(EMOTIONS, range(7))),
    **dict(zip(("anger", "disgusted", "fearful", "happiness", "sadness", "surprised"), range(6))),
}
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
KINDS = {  # end of a file's name -> what it holds and how it is opened
    ".zip": ("zip", None),
    ".tar.gz": ("tar", gzip.open),
    ".tgz": ("tar", gzip.open),
    ".csv": ("csv", open),
    ".csv.gz": ("csv", gzip.open),
    ".csv.xz": ("csv", lzma.open),
}
NEVER_LOADED = (".pkl", ".pickle", ".npy", ".npz", ".joblib", ".pt", ".pth")

MAX_BYTES = 1024**3  # read out of one source, compressed or not; the challenge's CSV has 0.3 GB
MAX_IMAGE_BYTES = 1024**2  # of one image file; the real ones have 2 to 4 kB
MAX_LINE_BYTES = 2**16  # of one CSV row; the real ones have at most 9.3 kB
FOLDER_DEPTH = 3  # of an image folder: <one level>/train/<emotion>/

LABEL_BYTES = {str(label).encode(): bytes([label]) for label in range(len(EMOTIONS))}
USAGES = {split.encode(): split for split in SPLITS}
CACHE_VERSION = 1

UNREADABLE = (  # what the standard library raises for a damaged archive
    EOFError,
    lzma.LZMAError,
    NotImplementedError,  # zipfile: an unknown compression method
    OSError,  # gzip: a wrong check sum; zipfile: a position before the start of the file
    UnicodeError,  # zipfile: a damaged member name
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
UNREADABLE_IMAGE = (  # what Pillow raises for a file that is no image, a damaged or a huge one
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    zlib.error,
)


def load(path: str | os.PathLike, cache_folder: str | os.PathLike | None = None) -> Dataset:
    """Read FER-2013 from any of its public forms and compare it with the published dataset.

    Args:
        path: fer2013.csv; icml_face_data.csv; a folder of train/<emotion>/ and test/<emotion>/
            with PNG or JPEG files, the test part divided by the file names' prefix PublicTest_ or
            PrivateTest_; or one of these as .zip, .tar.gz, .csv.gz or .csv.xz, which are read
            without unpacking to disk.
        cache_folder: where the arrays are kept for the next call (83 MB per source), made if it
            is not there; a damaged or outdated cache is replaced. None: no cache.

    Returns:
        The dataset "fer2013". Where it differs from the published one, a warning says in what.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: the source is not FER-2013 in a public form, or is damaged; the message names
            the row, image or member. Nothing is cached then.
    """
    source = Path(path).expanduser().absolute()
    if not os.fspath(path) or not source.exists():
        received = f"{os.fspath(path)!r}, which does not exist"
        remedy = "Correct the path, or download FER-2013 from Kaggle."
        raise FileNotFoundError(_message(f"the path of FER-2013: {FORMS}", received, remedy))
    cache = _cache_file(source, cache_folder) if cache_folder is not None else None
    identity = _identity(source) if cache else ""
    dataset = _read_cache(cache, identity) if cache else None
    if dataset is None:
        dataset = make_dataset("fer2013", _arrays(_read(source)))
        if cache:
            _try_to_write_cache(cache, identity, dataset)
    if dataset.differences:
        message = "This copy of FER-2013 is not the published one. "
        warnings.warn(message + " ".join(dataset.differences), stacklevel=2)
    return dataset


def load_published(path: str | None, cache_folder: str | os.PathLike) -> Dataset:
    """Read FER-2013 for what the report says of the dataset itself: no other copy will do.

    Args:
        path: as for `load`; None or "": none was given.
        cache_folder: as for `load`.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: no path was given, or what is there is not the published FER-2013.
    """
    if not path:
        raise _error(f"the path of FER-2013: {FORMS}", "none", "Give it as FER2013=PATH.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This copy of FER-2013")  # the error says it
        dataset = load(path, cache_folder)
    if dataset.differences:
        received = " ".join(dataset.differences)
        remedy = "Download it from Kaggle. Nothing was written."
        raise _error("the published FER-2013", received, remedy)
    return dataset


def _cause(problem: Exception) -> str:
    text = str(problem).partition(" <")[0]  # without the address of an object in memory
    return f"{type(problem).__name__}: {text}"


def _arrays(records: dict[str, bytearray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    missing = [split for split in SPLITS if not records[split]]
    if missing:
        found = [f"{len(records[s]) // (PIXELS + 1):,} of {s}" for s in SPLITS if records[s]]
        received = f"{_words(found)}, but none of {_words(missing)}"
        raise _error(f"images of {_words(SPLITS)}", received, "Use a complete copy of FER-2013.")
    splits = {split: _split(records[split]) for split in SPLITS}
    return {name: (split.images, split.labels) for name, split in splits.items()}


# Sources: what the path holds


def _read(source: Path) -> dict[str, bytearray]:
    """Records (label byte, pixel bytes) per split, in the order of the source."""
    if source.is_dir():
        names = [name for name, _ in _scan(source)]
        return _read_members(names, partial(_open_files, source), source.name)
    kind, opener = _kind(source)
    try:
        if kind == "zip":
            with zipfile.ZipFile(source) as archive:
                return _read_members(_zip_names(archive), partial(_open_zip, archive), source.name)
        if kind == "tar":
            open_members = partial(_open_tar, source, opener)
            return _read_members(_tar_names(source, opener), open_members, source.name)
        with opener(source, "rb") as stream:
            return _read_csv(stream, source.name)
    except UNREADABLE as problem:
        received = f"{source.name!r} is corrupt or cut off ({_cause(problem)})"
        raise _error("a whole, unencrypted file", received, DOWNLOAD_AGAIN) from problem


def _kind(source: Path) -> tuple[str, Callable | None]:
    """What a file holds, "zip", "tar" or "csv", and what opens it."""
    if not source.is_file():
        raise _error(
            f"one of {FORMS}", f"{source.name!r}, neither file nor folder", "Give one of these."
        )
    with source.open("rb") as file:
        start = file.read(2)
    if not start:
        raise _error(FORMS, f"{source.name!r}, an empty file", DOWNLOAD_AGAIN)
    name = source.name.lower()
    is_pickle = start[0] == 0x80 and start[1:] <= b"\x05"  # protocol 2 to 5
    if is_pickle or start == b"\x93N" or name.endswith(NEVER_LOADED):
        received = f"{source.name!r}, a file that may hold pickled objects"
        remedy = "Pickles are never loaded, because they can run code; give one of the forms named."
        raise _error(FORMS, received, remedy)
    for suffix, kind in KINDS.items():
        if name.endswith(suffix):
            return kind
    raise _error(
        f"one of {FORMS}", f"{source.name!r}, an unknown kind of file", "Give one of these."
    )


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than `MAX_BYTES`, whatever an archive's header says."""

    def __init__(self, stream: BinaryIO, source: str):
        self._stream, self._source, self._given = stream, source, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = self._stream.readinto(buffer)
        self._given += count
        _check_bound(self._given, self._source)
        return count


def _bounded(stream: BinaryIO, source: str) -> io.BufferedReader:
    return io.BufferedReader(_Bounded(stream, source), 2**20)


def _check_bound(count: int, source: str) -> None:
    if count > MAX_BYTES:
        expected = f"at most {MAX_BYTES:,} bytes of data (FER-2013 has 301,072,766 as a CSV)"
        received = f"{source!r}, which holds or unpacks to more"
        raise _error(expected, received, "Use a copy of FER-2013 alone, in 48 x 48 pixels.")


# CSV files


def _read_csv(stream: BinaryIO, source: str) -> dict[str, bytearray]:
    lines = _bounded(stream, source)
    columns, width = _columns(lines.readline(MAX_LINE_BYTES), source)
    records = {split: bytearray() for split in SPLITS}
    number = 1
    while line := lines.readline(MAX_LINE_BYTES):
        number += 1
        if line.isspace():
            continue
        try:
            split, record = _parse_row(line, columns, width)
        except ValueError as problem:
            raise _row_error(source, number, line, problem) from None
        records[split] += record
    return records


def _columns(header: bytes, source: str) -> tuple[list[int], int]:
    """Positions of emotion, pixels and usage in a row, and the number of columns."""
    if not header:
        raise _error(f"the columns {_words(COLUMNS)}", f"{source!r}, an empty file", DOWNLOAD_AGAIN)
    text = header.decode("utf-8-sig", errors="replace").lower()
    names = [name.strip(' "\r\n') for name in text.split(",")]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        expected = f"a first line with the columns {_words(COLUMNS)} in {source!r}"
        received = f"{text.strip()[:80]!r}, without {_words(missing)}"
        raise _error(expected, received, "Use fer2013.csv or icml_face_data.csv as published.")
    return [names.index(column) for column in COLUMNS], len(names)


def _parse_row(line: bytes, columns: list[int], width: int) -> tuple[str, bytes]:
    """Split and record of one row. The ValueError says what was expected and received."""
    fields = line.split(b",")
    if len(fields) != width:
        raise ValueError(f"{width} fields", f"{len(fields)} fields")
    label, pixels, usage = (fields[column].strip(b' "\r\n') for column in columns)
    if label not in LABEL_BYTES:
        raise ValueError(f"an emotion from 0 to {len(EMOTIONS) - 1}", _shown(label))
    if usage not in USAGES:
        raise ValueError(f"a Usage out of {_words(SPLITS)}", _shown(usage))
    if pixels.translate(None, b"0123456789 ") or not pixels:
        raise ValueError(*_bad_pixels(pixels))
    values = np.fromstring(pixels, np.int64, sep=" ")  # wide, so that a huge number cannot wrap
    if values.size != PIXELS or values.max() > 255:
        raise ValueError(*_bad_pixels(pixels))
    return USAGES[usage], LABEL_BYTES[label] + values.astype(np.uint8).tobytes()


def _bad_pixels(pixels: bytes) -> tuple[str, str]:
    words = pixels.split()
    for position, word in enumerate(words, start=1):
        if not word.isdigit() or len(word) > 3 or int(word) > 255:
            return "pixels from 0 to 255", f"{_shown(word)} as pixel {position:,}"
    return f"{PIXELS:,} pixels ({IMAGE_SIZE} x {IMAGE_SIZE})", f"{len(words):,} pixels"


def _shown(field: bytes) -> str:
    return repr(field[:40].decode("utf-8", errors="replace"))


def _row_error(source: str, number: int, line: bytes, problem: ValueError) -> ValueError:
    expected, received = problem.args
    if len(line) == MAX_LINE_BYTES:
        expected = f"a row of at most {MAX_LINE_BYTES:,} bytes"
        received = "a longer one"
    elif not line.endswith(b"\n"):
        received += "; the file seems to be cut off in this row"
    expected = f"{expected} in line {number:,} of {source!r}"
    return _error(expected, received, "Download the file again, or correct this row.")


# Folders and archives: members by name, then read one after the other


def _read_members(names: list[str], open_members: Callable, source: str) -> dict[str, bytearray]:
    """Read the challenge's CSV among the members, else the image folders, else the only CSV."""
    visible = [name for name in names if not _is_hidden(name)]
    tables = [name for name in visible if name.lower().endswith(".csv")]
    known = [name for name in tables if PurePosixPath(name).name.lower() in CSV_NAMES]
    images = _image_places(visible, source)
    chosen = known[:1] or ([] if images else tables if len(tables) == 1 else [])
    if chosen:
        for name, stream in open_members(chosen):
            return _read_csv(stream, f"{source}/{name}")
    if not images:
        received = f"{source!r} with {len(names):,} files, none of these among them"
        raise _error(FORMS, received, "Give the file or the folder itself.")
    _check_classes(images.values(), source)
    return _read_images(open_members(images), images, source)


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts)


def _image_places(names: list[str], source: str) -> dict[str, tuple[str, int]]:
    """Split and label of every image file that lies in train/<emotion>/ or test/<emotion>/."""
    places, roots = {}, set()
    for name in names:
        path = PurePosixPath(name)
        *root, part, emotion = path.parts[:-1] if len(path.parts) > 2 else ("", "")
        if part.lower() not in ("train", "test") or path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if emotion.lower() not in FOLDER_NAMES:
            expected = f"folders {_words(EMOTIONS)} in {part}/ of {source!r}"
            raise _error(expected, f"a folder {emotion!r}", "Rename or remove this folder.")
        places[name] = (_split_of(part.lower(), name, source), FOLDER_NAMES[emotion.lower()])
        roots.add("/".join(root))
    if len(roots) > 1:
        received = f"{source!r} with several: {_words(sorted(map(repr, roots)))}"
        raise _error("one folder that holds train/ and test/", received, "Keep one of them.")
    return places


def _split_of(part: str, name: str, source: str) -> str:
    if part == "train":
        return "Training"
    for split in SPLITS[1:]:
        if PurePosixPath(name).name.lower().startswith(f"{split.lower()}_"):
            return split
    expected = "image files in test/ named PublicTest_<n> or PrivateTest_<n>"
    remedy = "Use a copy that keeps these names: they alone divide the two test splits."
    raise _error(expected, f"{name!r} in {source!r}", remedy)


def _check_classes(places: Iterable[tuple[str, int]], source: str) -> None:
    present = set(places)
    for split in SPLITS:
        missing = [e for label, e in enumerate(EMOTIONS) if (split, label) not in present]
        if missing:
            what = "no image" if len(missing) == len(EMOTIONS) else f"none of {_words(missing)}"
            expected = f"images of all {len(EMOTIONS)} emotions in {split} of {source!r}"
            raise _error(expected, f"{what}", "Use a complete copy of FER-2013.")


def _read_images(
    members: Iterable[tuple[str, BinaryIO]], places: dict[str, tuple[str, int]], source: str
) -> dict[str, bytearray]:
    records = {split: bytearray() for split in SPLITS}
    given = 0
    for name, stream in members:
        content = stream.read(MAX_IMAGE_BYTES + 1)
        given += len(content)
        _check_bound(given, source)
        split, label = places[name]
        records[split].append(label)
        records[split] += _decode(content, f"{source}/{name}")
    return records


def _decode(content: bytes, source: str) -> bytes:
    """The 2,304 grey levels of a PNG or JPEG file."""
    if len(content) > MAX_IMAGE_BYTES:
        received = f"{source!r} of more than {MAX_IMAGE_BYTES:,} bytes"
        raise _error("images of some 3,000 bytes", received, "Use the images as published.")
    try:
        with _open_image(content) as image:
            form = (image.mode, *image.size)
            if form == ("L", IMAGE_SIZE, IMAGE_SIZE):
                image.verify()  # the check sums of a PNG, which reading its pixels passes over
        if form == ("L", IMAGE_SIZE, IMAGE_SIZE):
            with _open_image(content) as image:
                return image.tobytes()
    except UNREADABLE_IMAGE as problem:
        received = f"{source!r}, which cannot be read ({_cause(problem)})"
        raise _error("a PNG or JPEG image", received, DOWNLOAD_AGAIN) from problem
    mode, width, height = form
    expected = f"a grey image of {IMAGE_SIZE} x {IMAGE_SIZE} pixels (mode L)"
    received = f"{source!r} of {width} x {height} pixels, mode {mode}"
    raise _error(expected, received, "Use the images as published, neither enlarged nor coloured.")


def _open_image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))


def _scan(folder: Path | str, prefix: str = "", depth: int = FOLDER_DEPTH) -> Iterator[tuple]:
    """Yield (name relative to the folder, os.stat_result) of every file, sorted by name."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file():
            yield prefix + entry.name, entry.stat()
        elif depth and entry.is_dir():
            yield from _scan(entry.path, f"{prefix}{entry.name}/", depth - 1)


def _open_files(folder: Path, wanted: Iterable[str]) -> Iterator[tuple[str, BinaryIO]]:
    for name in wanted:
        with open(folder / name, "rb") as stream:
            yield name, stream


def _zip_names(archive: zipfile.ZipFile) -> list[str]:
    for member in archive.infolist():
        _check_member(member.filename, stat.S_ISLNK(member.external_attr >> 16), archive.filename)
        if member.flag_bits & 1:
            received = f"{member.filename!r}, which is encrypted"
            raise _error("an archive without password", received, "Unpack it and give the folder.")
    return [member.filename for member in archive.infolist() if not member.is_dir()]


def _open_zip(archive: zipfile.ZipFile, wanted: Iterable[str]) -> Iterator[tuple[str, BinaryIO]]:
    for name in wanted:
        with archive.open(name) as stream:
            yield name, stream


@contextlib.contextmanager
def _open_tar_stream(source: Path, opener: Callable) -> Iterator[tarfile.TarFile]:
    with (
        opener(source, "rb") as stream,
        tarfile.open(fileobj=_bounded(stream, source.name), mode="r|") as archive,
    ):
        yield archive


def _tar_names(source: Path, opener: Callable) -> list[str]:
    names = []
    with _open_tar_stream(source, opener) as archive:
        for member in archive:
            is_special = not (member.isreg() or member.isdir()) or member.issparse()
            _check_member(member.name, is_special, source.name)
            if member.isreg():
                names.append(member.name)
    return names


def _open_tar(
    source: Path, opener: Callable, wanted: Iterable[str]
) -> Iterator[tuple[str, BinaryIO]]:
    with _open_tar_stream(source, opener) as archive:
        for member in archive:
            if member.name in wanted:
                yield member.name, archive.extractfile(member)


def _check_member(name: str, is_link: bool, source: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    expected = f"an archive of plain files below one folder in {Path(source).name!r}"
    remedy = "Do not trust this archive; download FER-2013 from Kaggle."
    if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
        raise _error(expected, f"a member that leaves it, {name!r}", remedy)
    if is_link:
        raise _error(expected, f"a link or special file, {name!r}", remedy)


# The cache: per source one .npz, whose records are the very bytes that the fingerprints hash


def _identity(source: Path) -> str:
    """What changes when the source does: names, sizes and times of change (ns)."""
    status = source.stat()
    files = _scan(source) if source.is_dir() else [(source.name, status)]
    digest = hashlib.sha256(f"version {CACHE_VERSION}\n{source}\n".encode())
    for name, status in files:
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _cache_file(source: Path, folder: str | os.PathLike) -> Path:
    """One file per path of a source, so that a changed source replaces its old cache."""
    key = hashlib.sha256(str(source).encode()).hexdigest()[:16]
    return Path(folder).expanduser() / f"fer2013-{key}.npz"


def _read_cache(file: Path, identity: str) -> Dataset | None:
    """The cached dataset, or None where it is absent, outdated or damaged."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["identity"]) != identity:
                return None
            records = {split: stored[split].tobytes() for split in SPLITS}
            fingerprints = {split: str(stored[f"fingerprint {split}"]) for split in SPLITS}
        dataset = _from_records("fer2013", records)
    except Exception:  # numpy and zipfile raise many kinds for damaged bytes; all mean: read anew
        return None
    return dataset if dataset.fingerprints == fingerprints else None


def _write_cache(file: Path, identity: str, dataset: Dataset) -> None:
    arrays = {"identity": np.array(identity)}
    for name, split in dataset.splits.items():
        arrays[name] = np.column_stack((split.labels, split.images.reshape(-1, PIXELS)))
        arrays[f"fingerprint {name}"] = np.array(dataset.fingerprints[name])
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, **arrays)
        os.replace(part, file)
    finally:
        Path(part).unlink(missing_ok=True)


def _try_to_write_cache(file: Path, identity: str, dataset: Dataset) -> None:
    try:
        _write_cache(file, identity, dataset)
    except OSError as problem:  # no reason to stop: the next read takes seconds
        warnings.warn(f"The dataset could not be cached: {problem}", stacklevel=3)
