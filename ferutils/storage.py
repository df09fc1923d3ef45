"""Writing a file whole or not at all, and onto the disk; reading files that nobody has to trust."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml

CHUNK_BYTES = 2**24
MOST_YAML_BYTES = 2**20
MOST_JSON_BYTES = 2**23
SUM = "content_sha256"  # the key of a measured file's sum
DEEPEST_YAML = 20  # levels; ours have five


# Why a folder cannot be written to, which whoever owns the machine can change, and how.
REMEDIES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free space there, or name another folder")
REMEDIES |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "Name another folder")
REMEDIES[errno.ENOENT] = "Make it, or name another folder"
REMEDIES[errno.EFBIG] = "Raise the limit on the size of files (ulimit -f), or name another folder"
OTHER_FOLDER = "with FERUTILS_CACHE or FERUTILS_RUNS, or TMPDIR for temporary files"


@contextlib.contextmanager
def writing_in(folder: Path) -> Iterator[None]:
    """Say of a full disk, or one that cannot be written to, which it is and what helps.

    Raises:
        OSError: of the same number, whose text has the folder and the remedy.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno not in REMEDIES or str(problem.strerror).startswith("Expected"):
            raise
        raise OSError(
            problem.errno,
            f"Expected room to write in {folder}. Received: {os.strerror(problem.errno)}. "
            f"{REMEDIES[problem.errno]} {OTHER_FOLDER}.",
        ) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: as `writing_in`.
    """
    with whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, which takes its name when all of it is on the disk, or is not there.

    Raises:
        OSError: as `writing_in`.
    """
    part = path.parent / f".{path.name}-{os.getpid()}.part"
    try:
        with writing_in(path.parent):
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
    with writing_in(path.parent), path.open("wb") as file:
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

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:  # of which the last would count, without a word
                problem = "a key that stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def sealed(text: str) -> bytes:
    """A JSON object, laid out as it is, with a sum of its content that tells of any change.

    Layout and order of keys do not count; git tells who changed it.
    """
    start, brace, _ = text.rpartition("}")
    return f'{start.rstrip()},\n  "{SUM}": "{_sum(json.loads(text))}"\n{brace}\n'.encode()


def unsealed(path: Path) -> str:
    """The JSON object of a file that `sealed` made, without its sum.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, too large, or not what its sum says.
    """
    with path.open("rb") as file:
        text = file.read(MOST_JSON_BYTES + 1)
    if len(text) > MOST_JSON_BYTES:
        raise ValueError(f"more than {MOST_JSON_BYTES:,} bytes")
    try:
        content = json.loads(text, object_pairs_hook=_each_once)
    except (RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"Invalid JSON: {error}") from None
    if not isinstance(content, dict) or content.pop(SUM, None) != _sum(content):
        raise ValueError(f"content that is not that of its sum, {SUM}")
    return json.dumps(content)


@contextlib.contextmanager
def expecting(what: str, path: Path, remedy: str) -> Iterator[None]:
    """Say of a file that cannot be read, or is not what it should be, what was expected of it.

    Args:
        what: the content that the file should have.
        path: of the file.
        remedy: what to do, as a sentence.

    Raises:
        ValueError: for an OSError, a ValueError (pydantic's among them) or an error of YAML inside.
    """
    try:
        yield
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(
            f"Expected {what} in {path.name}. Received: {described(error)}. {remedy}"
        ) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key that stands twice")
    return found


def _sum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def described(error: Exception) -> str:
    """Why a file could not be read, on one line and without what stands in the file."""
    if hasattr(error, "errors"):  # of pydantic, which the command line does not wait for
        return "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'content'}: {one['msg']}" for one in error.errors()
        )
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return getattr(error, "strerror", None) or str(error).partition("\n")[0]
