"""Files out of folders and archives, however these are packed, nested and named.

Judges each by its first bytes. Reads; writes nothing but unnamed temporary files.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ferutils.dataset.fer2013 import _error

MAX_BYTES = 1024**3  # unpacked from one source; the challenge's CSV has 0.3 GB, 0.6 in UTF-16
MAX_FILES = 100_000  # images of one source; FER-2013 has 35,887
MAX_OTHERS = 5_000  # entries of one source that hold no data
MAX_HEADER_BYTES = 2**16  # of a member's name and attributes in a tar archive
MAX_HEADERS = 8  # in a row in a tar archive; a member has up to four
MAX_PACKING_BYTES = 2**21  # by which packed data exceed what they hold; a block of bzip2 is 0.9 MB
MAX_DIRECTORY_BYTES = 2**23  # of all names in a zip archive; 35,887 of them take 4 MB
MAX_DEPTH = 20  # of folders
MAX_NESTED = 3  # archives in one another; .tar.gz is two
FIRST_NAMES = ("fer2013.csv", "icml_face_data.csv")  # hold everything, so they are read first
ARCHIVE_ENDINGS = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2")

STARTS = {  # first bytes -> kind
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"PAR1": "parquet",
    b"\x93NUMPY": "array",
    b"\x89PNG": "image",
    b"\xff\xd8\xff": "image",
    b"GIF8": "image",
    b"BM": "image",
    b"II*\0": "image",
    b"MM\0*": "image",
    b"P5": "image",
    b"P6": "image",
    **{bytes((0x80, protocol)): "pickle" for protocol in range(2, 6)},
}
UNPACK = {"gzip": gzip.open, "xz": lzma.open, "bzip2": bz2.open}
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


def kind_of(start: bytes) -> str:
    """What a file with these first bytes (512 where there are as many) holds.

    One of "zip", "tar", "gzip", "xz", "bzip2", "parquet", "array", "image", "pickle", "table" (text
    whose first line names a column of pixels), "empty" and "other".
    """
    if not start:
        return "empty"
    for magic, kind in STARTS.items():
        if start.startswith(magic):
            return kind
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image"
    if b"pixel" in start.replace(b"\0", b"").lower().partition(b"\n")[0]:
        return "table"
    try:
        tarfile.TarInfo.frombuf(start[:512], "utf-8", "replace")
    except tarfile.HeaderError:
        return "other"
    return "tar"


class Contents:
    """What one source holds, file by file, and what of it was left out.

    Attributes:
        name: of the source.
        left_out: how many entries were passed over, by what they are.
    """

    def __init__(self, source: Path):
        """Open nothing yet."""
        self.name, self.left_out = source.name, Counter()
        self._source, self._given, self._files, self._folders = source, 0, 0, 0

    def files(self) -> Iterator[tuple[str, str, io.BufferedReader]]:
        """Name, kind and stream of each file that is no archive; a stream ends with its turn.

        Raises:
            ValueError: an archive is hostile or holds more than any copy of FER-2013.
            OSError and others in `UNREADABLE`: an archive is damaged.
        """
        if self._source.is_dir():
            yield from self._folder(self._source)
        elif self._source.is_file():
            with self._source.open("rb") as raw:
                yield from self._file(raw, "", 0, title=self.name)
        else:
            raise _error(
                "a file or a folder",
                f"{self.name!r}, neither file nor folder",
                "Give one of these.",
            )

    def leave_out(self, what: str) -> None:
        """Count an entry that is passed over.

        Raises:
            ValueError: there are more of them than beside any copy of FER-2013.
        """
        self.left_out[what] += 1
        if self.left_out.total() > MAX_OTHERS:
            expected = f"at most {MAX_OTHERS:,} files that are no data of FER-2013"
            raise _error(expected, f"{self.name!r} with more", "Use a copy of FER-2013 alone.")

    def count(self, number: int) -> None:
        """Count bytes that were unpacked.

        Raises:
            ValueError: there are more of them than in any copy of FER-2013.
        """
        self._given += number
        if self._given > MAX_BYTES:
            expected = f"at most {MAX_BYTES:,} bytes of data (FER-2013 has 301,072,766 as a CSV)"
            received = f"{self.name!r}, which holds or unpacks to more"
            raise _error(expected, received, "Use a copy of FER-2013 alone, in 48 x 48 pixels.")

    def _file(
        self,
        raw: BinaryIO,
        name: str,
        depth: int,
        title: str = "",
        packed: "_Counted | None" = None,
    ) -> Iterator[tuple[str, str, io.BufferedReader]]:
        counted = _Counted(raw, self, packed)
        stream = io.BufferedReader(counted, 2**16)
        kind = kind_of(stream.peek()[:512])
        if kind in ("zip", "tar", *UNPACK) and depth >= MAX_NESTED:
            received = f"{name!r} in {self.name!r}, nested deeper"
            raise _error(f"at most {MAX_NESTED} archives in one another", received, "Unpack it.")
        if kind in UNPACK:
            counted.is_unpacked = True
            with UNPACK[kind](stream) as inner:
                yield from self._file(inner, name, depth + 1, title, packed=counted)
        elif kind == "zip":
            yield from self._zip(stream, name, depth)
        elif kind == "tar":
            yield from self._tar(stream, name, depth)
        else:
            self._files += 1
            if self._files > MAX_FILES:
                expected = f"at most {MAX_FILES:,} files"
                raise _error(expected, f"{self.name!r} with more", "Use a copy of FER-2013 alone.")
            yield name or title, kind, stream

    def _folder(self, folder: Path) -> Iterator[tuple[str, str, io.BufferedReader]]:
        for name, status in sorted(scan(folder), key=lambda entry: _turn(entry[0])):
            try:
                if status is None:
                    raise OSError
                raw = (folder / name).open("rb")
            except OSError:
                self.leave_out("unreadable or no file")
                continue
            with raw:
                yield from self._file(raw, shown(name), 0)

    def _zip(self, stream: BinaryIO, name: str, depth: int) -> Iterator:
        with contextlib.ExitStack() as stack:
            if name or depth:  # a zip archive is read from its end
                whole = stack.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(stream, whole)
            else:
                whole = stack.enter_context(self._source.open("rb"))
            self._check_directory(whole)
            archive = stack.enter_context(zipfile.ZipFile(whole))
            members = [one for one in archive.infolist() if not one.filename.endswith("/")]
            for member in sorted(members, key=lambda member: _turn(member.filename)):
                self._check(member.filename, stat.S_ISLNK(member.external_attr >> 16))
                inside = _inside(name, member.filename)
                if member.flag_bits & 1:
                    received = f"{inside!r} in {self.name!r}, which is encrypted"
                    raise _error("an archive without password", received, "Unpack it first.")
                with archive.open(member) as raw:
                    yield from self._file(raw, inside, depth + 1)

    def _tar(self, stream: BinaryIO, name: str, depth: int) -> Iterator:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
            for member in archive:
                archive.members = []  # which would keep each one that has passed
                special = not (member.isreg() or member.isdir()) or member.issparse()
                self._check(member.name, special)
                self._folders += member.isdir()
                if self._folders > MAX_OTHERS:
                    expected = f"at most {MAX_OTHERS:,} folders"
                    remedy = "Use a copy of FER-2013 alone."
                    raise _error(expected, f"{self.name!r} with more", remedy)
                if member.isreg():
                    inside = _inside(name, member.name)
                    yield from self._file(archive.extractfile(member), inside, depth + 1)

    def _check_directory(self, archive: BinaryIO) -> None:
        end = zipfile._EndRecData(archive)
        if end and end[zipfile._ECD_SIZE] > MAX_DIRECTORY_BYTES:
            expected = f"a zip archive with at most {MAX_DIRECTORY_BYTES:,} bytes of names"
            raise _error(expected, f"{self.name!r} with more", "Use a copy of FER-2013 alone.")

    def _check(self, name: str, is_link: bool) -> None:
        path = PurePosixPath(name.replace("\\", "/"))
        expected = f"an archive of plain files below one folder in {self.name!r}"
        remedy = "Do not trust this archive; download FER-2013 from Kaggle."
        if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
            raise _error(expected, f"a member that leaves it, {shown(name)!r}", remedy)
        if is_link:
            raise _error(expected, f"a link or special file, {shown(name)!r}", remedy)


class _Counted(io.RawIOBase):
    """A stream that counts what it gives, and that fills what it is given unless it ends."""

    def __init__(self, stream: BinaryIO, contents: Contents, packed: "_Counted | None"):
        self._stream, self._contents = stream, contents
        self._packed = packed  # the stream that this one is unpacked from
        self.is_unpacked = False
        self.surplus = 0  # bytes given, less those unpacked from them
        self._counts = not isinstance(stream, tarfile.ExFileObject)  # its archive is counted

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        self._contents.count(len(content) * self._counts)
        self.surplus += len(content)
        if self._packed:
            self._packed.surplus -= len(content)
        if self.is_unpacked and self.surplus > MAX_PACKING_BYTES:
            received = f"{self.surplus:,} bytes more than they hold"
            raise _error("packed data", received, "Do not trust this archive.")
        return len(content)


class _Member(tarfile.TarInfo):
    """A member of a tar archive, whose headers can fill neither memory nor time.

    The library would search an extended header in quadratic time, keep the global ones of a whole
    archive, follow the map of a sparse file without end, and take a damaged header for the end.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as problem:
            raise tarfile.ReadError(str(problem)) from None

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        is_data = self.isreg() or self.isdir()
        archive.headers = 0 if is_data else getattr(archive, "headers", 0) + 1
        if archive.headers > MAX_HEADERS or (not is_data and self.size > MAX_HEADER_BYTES):
            expected = f"headers of at most {MAX_HEADER_BYTES:,} bytes in a tar archive"
            received = f"one of {self.size:,} bytes, number {archive.headers} in a row"
            raise _error(expected, received, "Do not trust this archive.")
        return super()._proc_member(archive)

    def _proc_sparse(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        raise tarfile.ReadError("a sparse file")

    def _proc_pax(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        said = _extended(archive.fileobj.read(self._block(self.size))[: self.size])
        member = self.fromtarfile(archive)
        if self.type == tarfile.XGLTYPE:
            return member
        if any(key.startswith(b"GNU.sparse") for key in said):
            self._proc_sparse(archive)
        if b"path" in said:
            member.name = said[b"path"].decode("utf-8", "surrogateescape").rstrip("/")
        if b"size" in said:
            member.size = int(said[b"size"])
            archive.offset = member.offset_data + member._block(member.size)
        return member


def _extended(header: bytes) -> dict[bytes, bytes]:
    """What an extended header says, in records as b"20 path=train/a.png\\n"."""
    said, start = {}, 0
    while start < len(header):
        length = header[start : start + 6].partition(b" ")[0]
        end = start + int(length) if length.isdigit() else start
        key, equals, value = header[start + len(length) + 1 : end - 1].partition(b"=")
        if not equals or (key == b"size" and not value.isdigit()):
            raise tarfile.ReadError("an extended header that cannot be read")
        said[key], start = value, end
    return said


def scan(folder: str | os.PathLike) -> Iterator[tuple[str, os.stat_result | None]]:
    """Name below the folder and status of each entry that is no folder; None: no file.

    Hidden entries are passed over, and a folder that was seen already.
    """
    yield from _scan(os.fspath(folder), "", MAX_DEPTH, set())


def _scan(folder: str, prefix: str, depth: int, seen: set) -> Iterator:
    status = os.stat(folder)
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = prefix + entry.name
        if is_hidden(name):
            continue
        try:
            if entry.is_dir() and depth:
                yield from _scan(entry.path, f"{name}/", depth - 1, seen)
            else:
                yield name, entry.stat() if entry.is_file() else None
        except OSError:  # a circle of links, or no permission
            yield name, None


def is_hidden(name: str) -> bool:
    """Whether a name is one that systems put beside the data."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def shown(name: str) -> str:
    """A name as text that can be printed, whatever its bytes are."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _inside(archive: str, member: str) -> str:
    """A member's name below the archive's own, without the endings of archives."""
    while archive.lower().endswith(ARCHIVE_ENDINGS):
        archive = archive.rpartition(".")[0]
    member = shown(member).replace("\\", "/").removeprefix("./")
    return f"{archive}/{member}" if archive else member


def _turn(name: str) -> tuple[int, str]:
    """Tables that hold everything come first, archives beside the data last."""
    base = PurePosixPath(name.replace("\\", "/")).name.lower()
    return (base not in FIRST_NAMES) + base.endswith(ARCHIVE_ENDINGS), name
