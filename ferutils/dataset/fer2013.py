"""The dataset as checked arrays in one order, with fingerprints, and the published FER-2013's own.

Reads and writes nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # index = label
SPLITS = ("Training", "PublicTest", "PrivateTest")
IMAGE_SIZE = 48  # pixels, both sides
PIXELS = IMAGE_SIZE * IMAGE_SIZE

# Class counts (in label order) and fingerprints of the challenge's own file.
FER2013 = {
    "Training": {
        "counts": [3995, 436, 4097, 7215, 4830, 3171, 4965],
        "fingerprint": "f76e9f0ff80d5ef5adc5c9deb89e8fba4d1e9ead26f1ad7418c8fbbf05d47e03",
    },
    "PublicTest": {
        "counts": [467, 56, 496, 895, 653, 415, 607],
        "fingerprint": "a713b772d39d373e1cacd60f76111c0e7d2fa3dc2afaee7a48d742b858b7903f",
    },
    "PrivateTest": {
        "counts": [491, 55, 528, 879, 594, 416, 626],
        "fingerprint": "13b58e9ac30ca6c7e592074555806d0bff4e795c01b39f888527003a0c31f76f",
    },
}
SUBSET_SEED = 2013


def published_fingerprints() -> dict[str, str]:
    """SHA-256 (hex) of each split of the published FER-2013."""
    return {split: FER2013[split]["fingerprint"] for split in SPLITS}


@dataclass(frozen=True)
class Split:
    """Images and labels of one split.

    Attributes:
        images: uint8 (n, 48, 48), grey levels 0..255.
        labels: uint8 (n,), 0..6, index into `EMOTIONS`.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Three splits, each in canonical order: sorted by label byte, then pixel bytes.

    Image number i is therefore the same image whatever file the dataset was read from.

    Attributes:
        name: "fer2013" or "drawn".
        splits: the three `SPLITS` by name.
        fingerprints: SHA-256 (64 hexadecimal digits) of each split, whatever its order was.
        differences: for "fer2013", one sentence for each split that is not the published one.
    """

    name: str
    splits: dict[str, Split]
    fingerprints: dict[str, str]
    differences: tuple[str, ...]

    def counts(self) -> dict[str, list[int]]:
        """Images per emotion for each split: 7 numbers in label order."""
        return {name: _class_counts(split.labels) for name, split in self.splits.items()}


def make_dataset(name: str, arrays: dict[str, tuple[np.ndarray, np.ndarray]]) -> Dataset:
    """Check arrays, sort them into canonical order and take their fingerprints.

    Args:
        name: "fer2013" or "drawn"; only "fer2013" is compared with the published dataset.
        arrays: for each of the three `SPLITS`, images uint8 (n, 48, 48), 0..255, and labels of
            any integer dtype (n,), 0..6, n at least 1.

    Returns:
        The dataset; `differences` says in what a "fer2013" is not the published one.

    Raises:
        ValueError: a split is missing, or shape, dtype or range is wrong.
    """
    if name not in ("fer2013", "drawn"):
        raise _error("the name 'fer2013' or 'drawn'", repr(name), "Name the dataset so.")
    if set(arrays) != set(SPLITS):
        raise _error(f"the splits {_words(SPLITS)}", _words(arrays), "Give exactly these.")
    records = {}
    for split in SPLITS:
        images, labels = (np.asarray(array) for array in arrays[split])
        _check_arrays(split, images, labels)
        records[split] = _sorted_records(images, labels)
    return _from_records(name, records)


def subset(split: Split, n: int) -> Split:
    """The first n images of one fixed, stratified, pseudo-random order.

    Every class keeps its share within one image, and a smaller subset is part of a larger one.

    Args:
        split: images uint8 (m, 48, 48) and labels uint8 (m,), in canonical order.
        n: number of images, 7 to m; m gives the whole split.

    Returns:
        The chosen images, n of them, in canonical order.

    Raises:
        ValueError: n is below 7 or above m.
    """
    total = len(split.labels)
    if not len(EMOTIONS) <= n <= total:
        expected = f"a number of images from {len(EMOTIONS)} to {total:,}"
        raise _error(expected, repr(n), "Choose a number in this range.")
    random = np.random.RandomState(SUBSET_SEED)  # unlike default_rng, the same in every version
    members = [
        iter(random.permutation(np.flatnonzero(split.labels == label)))
        for label in range(len(EMOTIONS))
    ]
    chosen = sorted(next(members[c]) for c in _class_order(_class_counts(split.labels), n))
    return Split(images=split.images[chosen], labels=split.labels[chosen])


def examples(split: Split) -> dict[str, np.ndarray]:
    """One image of each emotion: of a fixed sample, the one of median contrast.

    Args:
        split: at least one image of each emotion.

    Returns:
        uint8 (48, 48) by emotion, 0..255.

    Raises:
        ValueError: there are fewer than seven images.
    """
    sample = subset(split, min(len(split.labels), 700))
    found = {}
    for label, emotion in enumerate(EMOTIONS):
        images = sample.images[sample.labels == label]
        contrast = images.reshape(len(images), -1).std(axis=1)
        found[emotion] = images[np.argsort(contrast)[len(images) // 2]]
    return found


# Checks, canonical order and fingerprints


def _message(expected: str, received: str, remedy: str) -> str:
    return f"Expected {expected}. Received: {received}. {remedy}"


def _error(expected: str, received: str, remedy: str) -> ValueError:
    return ValueError(_message(expected, received, remedy))


def _words(names: Iterable[str]) -> str:
    return ", ".join(map(str, names)) or "nothing"


def _class_counts(labels: np.ndarray) -> list[int]:
    return np.bincount(labels, minlength=len(EMOTIONS)).tolist()


def _check_arrays(split: str, images: np.ndarray, labels: np.ndarray) -> None:
    received = f"{images.dtype} {images.shape}"
    if images.dtype != np.uint8 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE) or not len(images):
        expected = f"images of {split} as uint8 (n, {IMAGE_SIZE}, {IMAGE_SIZE}), n at least 1"
        raise _error(expected, received, "Convert the images first.")
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        expected = f"one whole-numbered label per image of {split}, shape {images.shape[:1]}"
        raise _error(expected, f"{labels.dtype} {labels.shape}", "Give as many labels as images.")
    if labels.min() < 0 or labels.max() >= len(EMOTIONS):
        expected = f"labels of {split} from 0 to {len(EMOTIONS) - 1}"
        received = f"labels from {labels.min()} to {labels.max()}"
        raise _error(expected, received, f"Label in the order {_words(EMOTIONS)}.")


def _sorted_records(images: np.ndarray, labels: np.ndarray) -> bytes:
    """One byte of label and 2,304 bytes of pixels per image, sorted and joined."""
    joined = np.column_stack((labels.astype(np.uint8), images.reshape(-1, PIXELS))).tobytes()
    size = PIXELS + 1
    return b"".join(sorted(joined[start : start + size] for start in range(0, len(joined), size)))


def _from_records(name: str, records: dict[str, bytes]) -> Dataset:
    splits = {split: _split(records[split]) for split in SPLITS}
    fingerprints = {split: hashlib.sha256(records[split]).hexdigest() for split in SPLITS}
    differences = _differences(splits, fingerprints) if name == "fer2013" else ()
    return Dataset(name, splits, fingerprints, differences)


def _split(records: bytes) -> Split:
    table = np.frombuffer(records, np.uint8).reshape(-1, PIXELS + 1)
    images = table[:, 1:].copy()  # contiguous and writable, as arrays usually are
    return Split(images=images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), labels=table[:, 0].copy())


def _differences(splits: dict[str, Split], fingerprints: dict[str, str]) -> tuple[str, ...]:
    sentences = []
    for name in SPLITS:
        counts, published = _class_counts(splits[name].labels), FER2013[name]["counts"]
        received, expected = fingerprints[name], FER2013[name]["fingerprint"]
        if received == expected:
            continue
        if counts == published:
            what = (
                f"{sum(counts):,} images as published, but their pixels are not the published "
                "ones (recompressed, blurred, equalised or enlarged copies circulate)"
            )
        else:
            classes = [
                f"{emotion} {count:,} instead of {right:,}"
                for emotion, count, right in zip(EMOTIONS, counts, published)
                if count != right
            ]
            what = f"{sum(counts):,} images instead of {sum(published):,} ({_words(classes)})"
        fingerprint = f"fingerprint {received[:8]}... instead of {expected[:8]}..."
        sentences.append(f"{name}: {what}; {fingerprint}.")
    return tuple(sentences)


def _class_order(counts: list[int], n: int) -> Iterator[int]:
    """Yield the class of each of the first n images, every class within one of its share.

    Earliest deadline first: the j-th image of a class may come once j - 1 is below the class's
    share and has to come before the share passes j. Source: the bound is that of R. Tijdeman, "The
    chairman assignment problem", Discrete Mathematics 32 (1980).
    """
    total, taken = sum(counts), [0] * len(counts)
    for position in range(1, n + 1):
        due = [
            (-(-(taken[c] + 1) * total // counts[c]), c)
            for c in range(len(counts))
            if taken[c] * total < position * counts[c]
        ]
        _, chosen = min(due)
        taken[chosen] += 1
        yield chosen
