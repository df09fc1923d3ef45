"""Writing a file whole or not at all, and onto the disk."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 2**24


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which takes its name when all of it is on the disk, or is not there."""
    part = path.parent / f".{path.name}-{os.getpid()}.part"
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def reserve(path: Path, size: int) -> None:
    """Fill a file with so many zeros, to be written over by what cannot bear a full disk.

    HDF5 is such: where there is no room, it brings its whole process down.

    Raises:
        OSError: there is no room.
    """
    with path.open("wb") as file:
        for start in range(0, size, CHUNK_BYTES):
            file.write(bytes(min(CHUNK_BYTES, size - start)))
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """See a file, or what a folder names, on the disk, where it outlasts a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
