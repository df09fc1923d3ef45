"""Writing a file whole or not at all, and onto the disk; reading small files of settings."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from pydantic import ValidationError

CHUNK_BYTES = 2**24
MOST_YAML_BYTES = 2**20
DEEPEST_YAML = 20  # levels; ours have five


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


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, which can be neither huge, nor deep, nor grow by aliases.

    Raises:
        OSError: it cannot be read.
        yaml.YAMLError: it is no such file; `described` says why.
    """
    with path.open("rb") as file:
        content = file.read(MOST_YAML_BYTES + 1)
    if len(content) > MOST_YAML_BYTES:
        raise yaml.YAMLError(f"more than {MOST_YAML_BYTES:,} bytes")
    return yaml.load(content, _Plain)


class _Plain(yaml.SafeLoader):
    level = 0

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias (*name); write its content out")
        self.level += 1
        if self.level > DEEPEST_YAML:
            raise yaml.YAMLError(f"more than {DEEPEST_YAML} levels")
        node = super().compose_node(parent, index)
        self.level -= 1
        return node


def described(error: Exception) -> str:
    """Why a file could not be read, on one line and without what stands in the file."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'content'}: {one['msg']}" for one in error.errors()
        )
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return getattr(error, "strerror", None) or str(error).partition("\n")[0]
