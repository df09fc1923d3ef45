"""How FER-2013 cuts out a face, told by a detector's boxes, and what other margins cost.

Writes and reads book/crop.json. It holds numbers, no image.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from ferutils import paths, storage
from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import Code, DatasetNote, Environment, Part, Words

FILE = paths.BOOK / "crop.json"
COMMAND = "FER2013=PATH ferutils measure crop"

Count = Annotated[int, Field(ge=0)]
Digits = Annotated[str, Field(pattern=r"^[0-6-]*$")]  # an answer per image; -: none, no face found
Sum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Side = Annotated[float, Field(gt=0)]
# Centre (x, y) and side of a box, in pixels of the 48 x 48 image from its upper left corner.
Place = tuple[float, float, Side]


class Square(NamedTuple):
    """A square of a picture, in pixels from its upper left corner; it may go beyond the rim."""

    left: float
    top: float
    side: float


class Rule(NamedTuple):
    """How the square that is cut out lies to the box of a detected face."""

    margin: float  # the square's side, in sides of the box
    right: float  # from the box's centre to the square's, in sides of the box
    down: float

    def square(self, x: float, y: float, side: float) -> Square:
        """The square that belongs to a box with this centre and side."""
        half = self.margin * side / 2
        return Square(x + self.right * side - half, y + self.down * side - half, 2 * half)


class Size(Part):
    """What is found of faces that are a part of a picture, in one look at it and in tiles too."""

    share: Annotated[float, Field(gt=0, le=1)]  # the face's square, of the picture's width
    images: Annotated[int, Field(ge=1)]  # a picture each
    found: tuple[Count, Count]  # faces, in one look and in tiles too
    wrong: tuple[Count, Count]  # boxes that are not the face's
    margin: Side  # median of the square's side in sides of the box, in tiles too


class Margins(Part):
    """What the network of a run answers to faces that were cut out anew, by margin."""

    run: Annotated[str, Field(pattern=rf"^{paths.RUN_ID}$")]
    weights_sha256: Sum
    environment: Environment
    unchanged: dict[Words, Digits]  # by held-out split
    cropped: dict[float, dict[Words, Digits]]  # by margin, in sides of the box


def answered(digits: str) -> np.ndarray:
    """The labels in a string of answers, int64 (n,); -1 where no face was found."""
    return np.array([-1 if one == "-" else int(one) for one in digits])


class Crop(Part):
    """The content of `crop.json`."""

    detector: Words  # package and version
    detector_sha256: Sum  # of its file
    dataset: DatasetNote
    counts: dict[Words, list[Count]]  # images per emotion and split that were measured
    padding: Annotated[int, Field(ge=0)]  # pixels of the rim, repeated on each side of a face
    training: list[Place | None]  # None: no face found
    held_out: dict[Words, list[Place | None]]
    sizes: list[Size]
    environment: Environment
    code: Code
    measured: datetime
    runs: list[Margins] = Field(default_factory=list)

    @model_validator(mode="after")
    def _whole(self) -> "Crop":
        wanted = {split: sum(self.counts[split]) for split in HELD_OUT}
        answers = [one for run in self.runs for one in (run.unchanged, *run.cropped.values())]
        for found in (self.held_out, *answers):
            if {split: len(some) for split, some in found.items()} != wanted:
                raise ValueError("not a place and an answer for each held-out image")
        if not any(self.training):
            raise ValueError("no face found in Training")
        return self

    @property
    def rule(self) -> Rule:
        """How FER-2013 cut its faces out: the medians over the faces found in Training."""
        return _rule(self.training)

    def having(self, answers: Margins) -> "Crop":
        """The same with these answers, instead of those of the same run."""
        others = [one for one in self.runs if one.run != answers.run]
        return self.model_copy(update={"runs": [*others, answers]})

    def labels(self, split: str) -> np.ndarray:
        """The true labels of the images of a split, int64 (n,), in their order."""
        return np.repeat(np.arange(len(EMOTIONS)), self.counts[split])


def margins(places: Sequence[Place | None]) -> np.ndarray:
    """The side of FER-2013's square in sides of the box, float (n,), of the faces found."""
    return IMAGE_SIZE / np.array([one[2] for one in places if one])


def _rule(places: Sequence[Place | None]) -> Rule:
    x, y, side = np.array([one for one in places if one]).T
    middle = IMAGE_SIZE / 2
    found = (IMAGE_SIZE / side, (middle - x) / side, (middle - y) / side)
    return Rule(*(float(np.median(one)) for one in found))


def read(path: Path | None = None) -> Crop:
    """The record.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    path = path or FILE
    remedy = f"Restore it from git, or run {COMMAND}."
    with storage.expecting("how faces are cut out", path, remedy):
        return Crop.model_validate_json(storage.unsealed(path))


def write(found: Crop, path: Path | None = None) -> None:
    """Write the record, whole or not at all."""
    storage.write_whole(path or FILE, storage.sealed(found.model_dump_json()))
