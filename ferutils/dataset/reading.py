"""FER-2013 in any public form -> a checked dataset.

A source gives files (`containers`), files give images (`images`, `tables`), and pixels
(`published`) or names (`naming`) tell the split and label of each. Writes nothing but an optional
cache.
"""

import hashlib
import io
import os
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from ferutils.dataset import containers, published
from ferutils.dataset.fer2013 import (
    EMOTIONS,
    IMAGE_SIZE,
    PIXELS,
    SPLITS,
    Dataset,
    _error,
    _from_records,
    _message,
    _words,
    make_dataset,
)
from ferutils.dataset.images import ENDINGS, MAX_IMAGE_BYTES, cause, grey_levels, is_doubtful
from ferutils.dataset.naming import TEST, emotion, said_by
from ferutils.dataset.tables import DOWNLOAD_AGAIN, FORMS, ROWS

MOSTLY = 0.9  # share of published images from which a pile is FER-2013, whatever its names say
CACHE_VERSION = 3


class Face(NamedTuple):
    """An image with what its source says of it.

    Attributes:
        pixels: 2,304 grey levels.
        split: one of `SPLITS`, "test" or None.
        label: 0..6 or None.
        name: of the file that it is in.
        root: the folder of its dataset in the source.
    """

    pixels: bytes
    split: str | None
    label: int | None
    name: str
    root: str = ""


def load(path: str | os.PathLike, cache_folder: str | os.PathLike | None = None) -> Dataset:
    """Read FER-2013 from any of its public forms and compare it with the published dataset.

    Args:
        path: a CSV file in any dialect, a Parquet file, a folder of images, or any of these in
            archives. Published images are known by their pixels and put into their official splits;
            other images need folders, file names or columns that tell split and label.
        cache_folder: where the arrays are kept for the next call (83 MB per source), made if it
            is not there; a damaged or outdated cache is replaced. None: no cache.

    Returns:
        The dataset "fer2013". Where it differs from the published one, a warning says in what.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: the source is not FER-2013 in a public form, or is damaged; the message names
            the row, image or member. Nothing is cached then.
    """
    dataset, notes = load_with_notes(path, cache_folder)
    if dataset.differences:
        message = "This copy of FER-2013 is not the published one. "
        warnings.warn(message + " ".join((*dataset.differences, *notes)), stacklevel=2)
    return dataset


def load_with_notes(
    path: str | os.PathLike, cache_folder: str | os.PathLike | None = None
) -> tuple[Dataset, tuple[str, ...]]:
    """As `load`, without its warning: the dataset, and sentences on what was read and left out.

    Raises:
        FileNotFoundError, ValueError: as `load`.
    """
    source = _existing(path)
    cache = _cache_file(source, cache_folder) if cache_folder is not None else None
    identity = _identity(source) if cache else ""
    found = _read_cache(cache, identity) if cache else None
    if found is None:
        faces, notes = _read(source)
        found = make_dataset("fer2013", _arrays(faces)), notes
        if cache:
            try:
                _write_cache(cache, identity, *found)
            except OSError as problem:  # no reason to stop: the next read takes seconds
                warnings.warn(f"The dataset could not be cached: {problem}", stacklevel=3)
    return found


def load_published(path: str | None, cache_folder: str | os.PathLike) -> Dataset:
    """Read FER-2013 for what the report says of the dataset itself: no other copy will do.

    Args:
        path: as for `load`; None or "": none was given.
        cache_folder: as for `load`.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: no path was given, or what is there is not the published FER-2013.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This copy of FER-2013")  # the error says it
        return _as_published(load(_given(path), cache_folder))


def load_rows(path: str | None) -> tuple[Dataset, list[Face]]:
    """Read the published FER-2013 from its CSV file, for what names an image by its row.

    Nothing in the file tells its order, and the index of published images has none: whoever needs
    the original order has to find by other means that the rows stand in it.

    Args:
        path: fer2013.csv or icml_face_data.csv, as it is or packed; None or "": none was given.

    Returns:
        The dataset, and its rows in the order of the file.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: no path was given, what is there is no one table with split and label in each
            row, or it is not the published FER-2013.
    """
    source = _existing(_given(path))
    rows = _read_faces(source)[0]
    tables = {face.name for face in rows}
    whole = {face.split for face in rows} == set(SPLITS) and all(f.label is not None for f in rows)
    if len(tables) > 1 or not whole:
        expected = "fer2013.csv, whose rows alone tell which image is which"
        received = f"{source.name!r}, whose images are no rows of one table with emotion and Usage"
        remedy = "Its original order cannot be had from that. Give the challenge's CSV from Kaggle."
        raise _error(expected, received, remedy)
    return _as_published(make_dataset("fer2013", _arrays(rows))), rows


def _given(path: str | None) -> str:
    if not path:
        raise _error(f"the path of FER-2013: {FORMS}", "none", "Give it as FER2013=PATH.")
    return path


def _existing(path: str | os.PathLike) -> Path:
    source = Path(path).expanduser().absolute()
    if not os.fspath(path) or not source.exists():
        received = f"{os.fspath(path)!r}, which does not exist"
        remedy = "Correct the path, or download FER-2013 from Kaggle."
        raise FileNotFoundError(_message(f"the path of FER-2013: {FORMS}", received, remedy))
    return source


def _as_published(dataset: Dataset) -> Dataset:
    if dataset.differences:
        received = " ".join(dataset.differences)
        remedy = "Download it from Kaggle. Nothing was written."
        raise _error("the published FER-2013", received, remedy)
    return dataset


# Files -> faces


def _read(source: Path) -> tuple[list[Face], tuple[str, ...]]:
    """The faces of a source, each with split and label, and what is to be said of it."""
    faces, left_out, notes = _read_faces(source)
    faces, sentences = _in_their_splits(faces, source.name)
    if left_out:
        sentences += (f"Left out: {_words(left_out)}.",)
    return faces, (
        *sentences,
        *(f"{len(n):,} with {what}, as {n[0]!r}." for what, n in notes.items()),
    )


def _read_faces(source: Path) -> tuple[list[Face], list[str], dict[str, list[str]]]:
    """The faces of a source as it has them, what was left out, and the files that are odd."""
    contents = containers.Contents(source)
    notes = defaultdict(list)  # what is odd -> the files that are so
    try:
        faces = _faces(contents, notes, alone=source.is_file())
    except containers.UNREADABLE as problem:
        received = f"{source.name!r} is corrupt or cut off ({cause(problem)})"
        raise _error("a whole, unencrypted file", received, DOWNLOAD_AGAIN) from problem
    left_out = [f"{number:,} {what}" for what, number in sorted(contents.left_out.items())]
    if not faces:
        received = f"{source.name!r}, with {_words(left_out)}, but none of these"
        raise _error(f"one of {FORMS}", received, "Give the file or the folder itself.")
    return faces, left_out, notes


def _faces(contents: containers.Contents, notes: dict[str, list[str]], alone: bool) -> list[Face]:
    """All faces of a source, or those of the first table that tells split and label of each."""
    faces, labels, whole = [], {}, None
    for name, kind, stream in contents.files():
        title = name if name == contents.name else f"{contents.name}/{name}"
        if containers.is_hidden(name) and name != contents.name:
            continue
        if whole:
            contents.left_out["files that were not read, because one table tells all"] += 1
            continue
        if alone and name == contents.name:
            kind = _known_kind(kind, stream, name)
        if kind == "image" or name.lower().endswith(ENDINGS):
            faces.append(_face(name, stream, title, notes))
        elif kind in ROWS:
            split = said_by(name).split
            rows = ROWS[kind](stream, title)
            found = [Face(row.pixels, row.split or split, row.label, name) for row in rows]
            if {face.split for face in found if face.label is not None} >= set(SPLITS):
                whole = found
            if not found:
                contents.leave_out(f"{kind} files without images of 48 x 48 grey levels, 0 to 255")
            faces += found
        elif name.endswith(".cls"):  # beside an image of a webdataset
            labels[name.removesuffix(".cls")] = stream.read(16).strip().decode(errors="replace")
        else:
            ending = PurePosixPath(name).suffix.lower()
            contents.leave_out(
                f"{ending or 'unnamed'} files" if kind == "other" else f"{kind} files"
            )
    if whole:
        return whole
    if labels:
        told = {stem: emotion(word) for stem, word in labels.items()}
        faces = [f._replace(label=told.get(f.name.rpartition(".")[0])) for f in faces]
    return faces


def _known_kind(kind: str, stream: io.BufferedReader, name: str) -> str:
    """The kind of a file that is the whole source; text is taken for a table."""
    if kind == "empty":
        raise _error(f"one of {FORMS}", f"{name!r}, an empty file", DOWNLOAD_AGAIN)
    if kind == "pickle":
        received = f"{name!r}, a file that may hold pickled objects"
        remedy = "Pickles are never loaded, because they can run code; give one of the forms named."
        raise _error(f"one of {FORMS}", received, remedy)
    if kind == "other" and b"\0" in stream.peek():
        received = f"{name!r}, an unknown kind of file"
        raise _error(f"one of {FORMS}", received, "Give one of these.")
    return "table" if kind == "other" else kind


def _face(name: str, stream: io.BufferedReader, title: str, notes: dict[str, list[str]]) -> Face:
    content = stream.read(MAX_IMAGE_BYTES + 1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)  # what Pillow says, without the file's name
        pixels, doubtful = grey_levels(content, title), is_doubtful(content)
    if told or doubtful:
        notes["data that look damaged"].append(name)
    said = said_by(name)
    if said.contradiction:
        notes[said.contradiction].append(name)
    return Face(pixels, said.split, said.label, name, said.root)


# Faces -> splits


def _in_their_splits(faces: list[Face], source: str) -> tuple[list[Face], tuple[str, ...]]:
    """Faces that each have one of the splits and a label, and what was recognised."""
    found, again, missing = published.places(
        [face.pixels for face in faces], [face[1:3] for face in faces]
    )
    known = len(faces) - found.count(None)
    notes = [f"{known:,} of {len(faces):,} images are published ones, pixel for pixel."]
    if known + again.count(True) >= MOSTLY * len(faces):
        copies = [face for face, one in zip(faces, again) if one]
        if copies:
            notes.append(
                f"{len(copies):,} are copies too many of these, as {copies[0].name!r}: left out."
            )
        rest = [(face, place) for face, place, one in zip(faces, found, again) if not one]
        faces, more = _official(*zip(*rest), missing)
        notes += more
    else:
        faces = _as_said(faces, source)
    _check_classes(faces, source)
    return faces, tuple(notes)


def _official(
    faces: Sequence[Face], found: Sequence[published.Place | None], missing: int
) -> tuple[list[Face], list[str]]:
    """Published faces in their places; foreign ones where they say so themselves, or nowhere."""
    notes = ["Their splits and labels are the official ones."]
    moved = sum(f.split in SPLITS and f.split != p[0] for f, p in zip(faces, found) if p)
    renamed = sum(f.label not in (None, p[1]) for f, p in zip(faces, found) if p)
    foreign = [f for f, place in zip(faces, found) if not place]
    kept = [f for f in foreign if f.split in SPLITS and f.label is not None]
    if moved:
        notes.append(f"{moved:,} were in another split.")
    if renamed:
        notes.append(f"{renamed:,} had another label.")
    if missing:
        notes.append(f"{missing:,} published images are missing.")
    if foreign:
        notes.append(
            f"{len(foreign):,} images are foreign, as {foreign[0].name!r}: "
            f"{len(kept):,} kept where their names put them, the others left out."
        )
    official = [f._replace(split=p[0], label=p[1]) for f, p in zip(faces, found) if p]
    return official + kept, notes


def _as_said(faces: list[Face], source: str) -> list[Face]:
    """Faces whose pixels are not the published ones, in the splits that their source tells."""
    splits = {face.split for face in faces}
    if "PublicTest" in splits and "PrivateTest" not in splits:
        faces = [f._replace(split="PrivateTest") if f.split == TEST else f for f in faces]
    changed = "pixels that were changed cannot be recognised"
    unlabelled = [face for face in faces if face.label is None]
    if unlabelled:
        first = unlabelled[0].name
        received = f"{first!r} in {source!r}, which has none ({len(unlabelled):,} images without)"
        remedy = (
            "The challenge's test.csv has no labels; icml_face_data.csv of the same page has them."
            if first.endswith(".csv")
            else f"Name its folder by the emotion; {changed}."
        )
        raise _error("a label for each image", received, remedy)
    for face in faces:
        if face.split not in SPLITS:
            expected = (
                "images in test/ named PublicTest_<n> or PrivateTest_<n>, or folders train, "
                "validation and test, or a column Usage"
            )
            received = f"{face.name!r} in {source!r}, whose split nothing tells"
            raise _error(expected, received, f"Use a copy that has these; {changed}.")
    roots = sorted({face.root for face in faces})
    if len(roots) > 1:
        received = f"{source!r} with several: {_words(map(repr, roots[:5]))}"
        raise _error("one folder that holds train/ and test/", received, "Keep one of them.")
    return faces


def _check_classes(faces: list[Face], source: str) -> None:
    present = {(face.split, face.label) for face in faces}
    for split in SPLITS:
        missing = [e for label, e in enumerate(EMOTIONS) if (split, label) not in present]
        if missing:
            what = "no image" if len(missing) == len(EMOTIONS) else f"none of {_words(missing)}"
            expected = f"images of all {len(EMOTIONS)} emotions in {split} of {source!r}"
            raise _error(expected, what, "Use a complete copy of FER-2013.")


def _arrays(faces: list[Face]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    arrays = {}
    for split in SPLITS:
        chosen = [face for face in faces if face.split == split]
        images = np.frombuffer(b"".join(face.pixels for face in chosen), np.uint8)
        labels = np.array([face.label for face in chosen], np.uint8)
        arrays[split] = images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), labels
    return arrays


# The cache: per source one .npz, whose records are the very bytes that the fingerprints hash


def _identity(source: Path) -> str:
    """What changes when the source does: names, sizes and times of change (ns)."""
    status = source.stat()
    files = containers.scan(source) if source.is_dir() else [(source.name, status)]
    digest = hashlib.sha256(f"version {CACHE_VERSION}\n{source}\n".encode())
    for name, status in files:
        state = status and (status.st_size, status.st_mtime_ns)
        digest.update(f"{name}\0{state}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _cache_file(source: Path, folder: str | os.PathLike) -> Path:
    """One file per path of a source, so that a changed source replaces its old cache."""
    key = hashlib.sha256(str(source).encode()).hexdigest()[:16]
    return Path(folder).expanduser() / f"fer2013-{key}.npz"


def _read_cache(file: Path, identity: str) -> tuple[Dataset, tuple[str, ...]] | None:
    """The cached dataset and notes, or None where they are absent, outdated or damaged."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            if str(stored["identity"]) != identity:
                return None
            records = {split: stored[split].tobytes() for split in SPLITS}
            notes = tuple(map(str, stored["notes"]))
            fingerprints = {split: str(stored[f"fingerprint {split}"]) for split in SPLITS}
        dataset = _from_records("fer2013", records)
    except Exception:  # numpy and zipfile raise many kinds for damaged bytes; all mean: read anew
        return None
    return (dataset, notes) if dataset.fingerprints == fingerprints else None


def _write_cache(file: Path, identity: str, dataset: Dataset, notes: tuple[str, ...]) -> None:
    arrays = {"identity": np.array(identity), "notes": np.array(notes, str)}
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
