"""Which images are FER-2013's: a hash of each published one, with its split and label.

Reads the index beside this module, 8 bytes an image; no pixel can be had from it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ferutils.dataset.fer2013 import EMOTIONS, SPLITS, Dataset
from ferutils.dataset.naming import TEST

INDEX = Path(__file__).with_name("published.bin")
HASH_BYTES = 8
GROUPS = [(split, label) for split in SPLITS for label in range(len(EMOTIONS))]

Place = tuple[str | None, int | None]  # split and label


def pack(dataset: Dataset) -> bytes:
    """The index of a dataset: 21 numbers of images (uint16), then their sorted hashes.

    The groups are the emotions of Training, of PublicTest and of PrivateTest. The package's own is
    made anew with `INDEX.write_bytes(pack(load_published(...)))`.
    """
    groups = []
    for split, label in GROUPS:
        images = dataset.splits[split].images[dataset.splits[split].labels == label]
        groups.append(sorted(_hash(image.tobytes()) for image in images))
    sizes = np.array([len(group) for group in groups], "<u2").tobytes()
    return sizes + b"".join(hashed for group in groups for hashed in group)


def places(
    images: Sequence[bytes], said: Sequence[Place]
) -> tuple[list[Place | None], list[bool], int]:
    """The official split and label of each image.

    An image that was published several times has as many places; what was said of it decides
    between them, its label before its split, because copies are divided anew more often.

    Args:
        images: 2,304 grey levels each.
        said: split and label that the source gives each, None where it gives none.

    Returns:
        For each image its place, None where it has none or all of its places are taken; whether it
        is so because they are taken; and how many published images are not among them.
    """
    free = defaultdict(list)
    for hashed, place in _published():
        free[hashed].append(place)
    found, again = [], []
    for image, (split, label) in zip(images, said):
        hashed = _hash(image)
        left = free.get(hashed, [])
        fits = SPLITS[1:] if split == TEST else (split,)
        best = max(left, key=lambda one: (one[1] == label, one[0] in fits), default=None)
        if best:
            left.remove(best)
        found.append(best)
        again.append(not best and hashed in free)
    return found, again, sum(map(len, free.values()))


def _hash(image: bytes) -> bytes:
    return hashlib.sha256(image).digest()[:HASH_BYTES]


@cache
def _published() -> list[tuple[bytes, Place]]:
    content = INDEX.read_bytes()
    sizes = np.frombuffer(content, "<u2", len(GROUPS))
    every = [place for place, size in zip(GROUPS, sizes) for _ in range(size)]
    hashes = np.frombuffer(content, f"V{HASH_BYTES}", offset=sizes.nbytes)  # bytes, zeros kept
    return list(zip(map(bytes, hashes), every))
