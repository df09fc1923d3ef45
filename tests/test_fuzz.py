"""Damaged and hostile copies of FER-2013: each is read or refused in words, soon, in little memory.

A sample of them by default; all with `FUZZ=1000 python -m pytest tests/test_fuzz.py`. Trial n is
the same in both.
"""

import bz2
import contextlib
import functools
import gzip
import io
import lzma
import os
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from test_data import copies, image_bytes, save, tar_bytes, tree, write_folder, zip_bytes

from ferutils.dataset import reading

TRIALS = int(os.environ.get("FUZZ", 150))
SECONDS, BYTES = 2, 300_000_000  # that a trial may take
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x10")

pytestmark = pytest.mark.filterwarnings("ignore:This copy of FER-2013")


def with_chunk(kind, body):
    """A PNG with one more chunk before its pixels."""
    png = image_bytes(np.eye(48, dtype=np.uint8))
    chunk = kind + body
    return (
        png[:33]
        + struct.pack(">I", len(body))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + png[33:]
    )


def of_size(width, height):
    """A PNG that says this size and has the pixels of 48 x 48."""
    png = image_bytes(np.eye(48, dtype=np.uint8))
    header = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def array_of(shape):
    """A NumPy file that says this shape and has no numbers."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@functools.cache
def bombs():
    """Files that are far larger inside, or say so."""
    zeros = bytes(2**27)
    packed = gzip.compress(zeros, 1)
    return [
        packed,
        gzip.compress(b"emotion,pixels\n" + b"1 " * 2**26, 1),
        gzip.compress(b"emotion,pixels\n" + b"\n" * 2**27, 1),
        gzip.compress(packed),
        lzma.compress(zeros, preset=0),
        zip_bytes({"fer2013.csv": packed}),
        tar_bytes({"a.csv": zeros[: 2**20]})[:512],
        with_chunk(b"zTXt", b"name\0\0" + zlib.compress(zeros, 1)),
        with_chunk(b"iCCP", b"name\0\0" + zlib.compress(zeros, 1)),
        of_size(2**31 - 1, 2**31 - 1),
        of_size(48, 10**6),
        array_of((10**12, 48, 48)),
        array_of((2**62, 2304)),
    ]


@functools.cache
def sources():
    """The files of copies as people have them, and of folders in two more formats."""
    found = [files if isinstance(files, dict) else {"a": files} for _, files in copies()]
    for form in ("JPEG L", "GIF P"):
        kind, mode = form.split()
        images = {name: one for name, one in tree().items() if one.startswith(b"\x89PNG")}
        found.append({f"{name}.{kind}": save(one, kind, mode) for name, one in images.items()})
    return found


PACKERS = (
    zip_bytes,
    tar_bytes,
    lambda members: gzip.compress(tar_bytes(members), 1),
    lambda members: lzma.compress(tar_bytes(members), preset=0),
    lambda members: bz2.compress(tar_bytes(members), 1),
    lambda members: zip_bytes({"inner.tar": tar_bytes(members)}),
)


def damage(random, content):
    """The content after bits were flipped, bytes cut or moved, or a number made a lie."""
    damaged = bytearray(content or b"\0")
    start, end = np.sort(random.randint(0, len(damaged), 2))
    kind = random.randint(4)
    if kind == 0:
        for position in random.randint(0, len(damaged), random.randint(1, 9)):
            damaged[position] ^= 1 << random.randint(8)
    elif kind == 1:
        del damaged[end:]
    elif kind == 2:
        damaged[start : start + 64] = damaged[end : end + 64]
    else:
        place = random.randint(-96, 96)  # headers stand at the start, directories at the end
        damaged[place : place + 4 or None] = EXTREMES[random.randint(len(EXTREMES))]
    return bytes(damaged)


def spoil(random, members):
    """The members after some were damaged, swapped, renamed or replaced by bombs."""
    names = list(members)
    for _ in range(random.randint(1, 4)):
        one, other = (names[random.randint(len(names))] for _ in range(2))
        kind = random.randint(4)
        if kind == 0:
            members[one], members[other] = members[other], members[one]
        elif kind == 1:
            members[f"{one}{Path(other).suffix}.gz"] = members[one]
        elif kind == 2:
            members[one] = bombs()[random.randint(len(bombs()))]
        else:
            members[one] = damage(random, members[one])
    return members


def write_mutated(trial, folder):
    """One mutated copy: a folder, one file or an archive, some of these damaged as a whole."""
    random = np.random.RandomState([13, trial])
    members = spoil(random, dict(sources()[random.randint(len(sources()))]))
    path = folder / f"mutated{trial}"
    form = random.randint(len(PACKERS) + 2)
    if form == len(PACKERS):
        return write_folder(path, members)
    content = next(iter(members.values())) if form > len(PACKERS) else PACKERS[form](members)
    path.write_bytes(damage(random, content) if random.randint(2) else content)
    return path


@contextlib.contextmanager
def little_memory():
    """Let this process have so many bytes more than now, where the system can tell these."""
    sizes = Path("/proc/self/statm")
    if not sizes.exists():
        yield
        return
    now = int(sizes.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_mutated_copies_are_read_or_refused_in_words_soon_and_in_little_memory(tmp_path):
    read, failed = 0, []
    for trial in range(TRIALS):
        path = write_mutated(trial, tmp_path)
        start = time.process_time()
        try:
            with little_memory():
                reading.load(path)
            read += 1
        except ValueError as error:
            if "Received: " not in str(error):
                failed.append((trial, repr(error)))
        except Exception as error:  # whatever else is what this test looks for
            failed.append((trial, repr(error)))
        taken = time.process_time() - start
        if taken > SECONDS:
            failed.append((trial, f"{taken:.1f} s"))
    assert not failed, (len(failed), failed[:20])
    assert TRIALS > 2 * read > 0  # most are refused, not all
