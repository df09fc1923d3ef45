"""What is in the dataset besides faces: copies, contradicting labels, blank pictures.

Reads a dataset; writes and reads book/examination.json. It holds numbers and positions, no image.
Used as `python -m ferutils.examination`, with the dataset's place in FER2013.
"""

import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ferutils import data, paths
from ferutils.data import SPLITS, Dataset

EXAMINATION_FILE = paths.BOOK / "examination.json"
# Grey levels: below this standard deviation over its pixels a picture shows nothing.
BLANK_DEVIATION = 2


class Examination(BaseModel):
    """What was found in a dataset; positions count from 0 in its canonical order.

    Attributes:
        fingerprints: SHA-256 of each split that was examined.
        images: by split, how many.
        copies_within: by split, images equal pixel for pixel to an earlier one of the same split.
        copies_in_all: images equal to an earlier one of the whole dataset, split by split.
        in_training: by held-out split, positions of the images that stand in Training too.
        contradicting_pictures: pictures that stand in the dataset with more than one label.
        contradicting_images: the images that show one of them.
        blank: by split, positions of images whose pixels hardly differ.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprints: dict[str, str]
    images: dict[str, int]
    copies_within: dict[str, int]
    copies_in_all: int
    in_training: dict[str, list[int]]
    contradicting_pictures: int
    contradicting_images: int
    blank: dict[str, list[int]]


def examine(dataset: Dataset) -> Examination:
    """Count copies, contradicting labels and blank pictures.

    Two images are copies where all their pixels are equal, whatever their labels.
    """
    pictures = {name: [i.tobytes() for i in dataset.splits[name].images] for name in SPLITS}
    everything = [picture for name in SPLITS for picture in pictures[name]]
    labels = defaultdict(list)
    for name in SPLITS:
        for picture, label in zip(pictures[name], dataset.splits[name].labels, strict=True):
            labels[picture].append(int(label))
    contradicting = [found for found in labels.values() if len(set(found)) > 1]
    training = set(pictures["Training"])
    return Examination(
        fingerprints=dataset.fingerprints,
        images={name: len(pictures[name]) for name in SPLITS},
        copies_within={name: len(pictures[name]) - len(set(pictures[name])) for name in SPLITS},
        copies_in_all=len(everything) - len(labels),
        in_training={
            name: [place for place, picture in enumerate(pictures[name]) if picture in training]
            for name in SPLITS[1:]
        },
        contradicting_pictures=len(contradicting),
        contradicting_images=sum(map(len, contradicting)),
        blank={name: _blank(dataset.splits[name].images) for name in SPLITS},
    )


def _blank(images: np.ndarray) -> list[int]:
    deviation = images.reshape(len(images), -1).std(axis=1)
    return np.flatnonzero(deviation < BLANK_DEVIATION).tolist()


def read(path: Path = EXAMINATION_FILE) -> Examination:
    """The recorded examination.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    try:
        return Examination.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ValueError(
            f"Expected the examination of the dataset in {path.name}. Received: {error}. "
            "Restore it from git, or run make examine FER2013=PATH."
        ) from None


def write(found: Examination, path: Path = EXAMINATION_FILE) -> None:
    """Write an examination, whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(found.model_dump_json() + "\n", encoding="utf-8")
    os.replace(unfinished, path)


def main() -> None:
    """Examine the published FER-2013 and record what was found."""
    source = os.environ.get("FER2013")
    if not source:
        sys.exit("Expected the path of FER-2013. Received: none. Run make examine FER2013=PATH.")
    dataset = data.load(source, paths.cache() / "datasets")
    if dataset.differences:
        sys.exit("Only the published FER-2013 is examined for the report. Nothing was written.")
    write(examine(dataset))


if __name__ == "__main__":
    main()
