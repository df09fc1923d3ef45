"""What a trained network does with changed faces, what it looks at, how large its weights are.

Writes and reads book/probes/<run id>.json, one file for each run that was probed. Needs no Keras.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ferutils import paths, storage
from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import Count, Environment, Record, Words

FOLDER = paths.BOOK / "probes"
COMMAND = "FER2013=PATH ferutils measure probe"

Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Map = list[list[Annotated[float, Field(allow_inf_nan=False)]]]


def places(square: int, step: int) -> range:
    """The upper, or left, edges of a square that is moved over an image, in pixels."""
    return range(0, IMAGE_SIZE - square + 1, step)


class Change(NamedTuple):
    """A way to change a face: what its strength counts, and strengths from weak to strong."""

    unit: str
    strengths: tuple[float, ...]


# Source: D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common
# Corruptions and Perturbations" (2019), whose kinds these are; strengths are for 48 pixels.
CHANGES = {
    "noise": Change("deviation, share of white", (0.02, 0.05, 0.1)),
    "shift": Change("pixels", (1, 2, 3)),
    "rotation": Change("degrees", (5, 10, 20)),
    "brightness": Change("added, share of white", (0.1, 0.2, 0.3)),
    "blur": Change("deviation, pixels", (0.5, 1, 1.5)),
    "JPEG": Change("quality", (75, 50, 25)),
}


def each(changes: Mapping[str, Change]) -> list[tuple[str, float]]:
    """Kind and strength of each change."""
    return [(kind, float(one)) for kind, (_, strengths) in changes.items() for one in strengths]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Answers(_Part):
    """How the images of one split were answered."""

    images: Count
    right: Count
    new: Annotated[Count, Field(ge=1)]  # images whose photograph is not in Training
    new_right: Count
    changed: Count  # answers that differ from those to the unchanged images

    @model_validator(mode="after")
    def _within(self) -> "Answers":
        if not self.new_right <= min(self.right, self.new) or (
            max(self.right, self.new, self.changed) > self.images
        ):
            raise ValueError("more of a part than of the whole")
        return self


class Changed(_Part):
    """The answers to images that were changed in one way."""

    kind: str
    strength: float
    splits: dict[str, Answers]


class Steadiness(_Part):
    """How a network answered the held-out images as they are, and changed.

    Attributes:
        seed: of the changes that are drawn.
        unchanged: the answers to the images as they are, by held-out split.
        changed: the answers by way and strength.
    """

    seed: int
    unchanged: dict[str, Answers]
    changed: list[Changed]

    @model_validator(mode="after")
    def _by_split(self) -> "Steadiness":
        if {tuple(one.splits) for one in self.changed} | {tuple(self.unchanged)} != {HELD_OUT}:
            raise ValueError(f"answers by {', '.join(HELD_OUT)}")
        return self

    @property
    def changes(self) -> list[tuple[str, float]]:
        """Kind and strength of each change."""
        return [(one.kind, one.strength) for one in self.changed]

    def accuracy(self, split: str, change: Changed | None = None, new: bool = True) -> float:
        """The share of right answers, to new faces alone or to all."""
        found = (change.splits if change else self.unchanged)[split]
        return found.new_right / found.new if new else found.right / found.images

    def flips(self, change: Changed) -> float:
        """The share of answers that a change turned into others, over both splits."""
        found = change.splits.values()
        return sum(one.changed for one in found) / sum(one.images for one in found)


class Weights(_Part):
    """The kernel of one layer."""

    layer: Words
    values: Annotated[int, Field(ge=1)]
    start: Size  # Frobenius norm before training
    end: Size  # and after it
    spectral: Size  # largest singular value after it: by how much it can stretch a change
    largest: Size  # absolute value after it


class Attention(_Part):
    """What decided the answers to some images of one emotion.

    Both maps are means over these images: of the drop of the true emotion's probability where a
    square was covered, by the square's place, and of Grad-CAM, each image's with the sum 1.
    """

    images: Count
    occlusion: Map
    grad_cam: Map


class Probe(Steadiness):
    """What was measured of the network of one run; its changes are each of CHANGES.

    Attributes:
        run: the id of the run.
        weights_sha256: of the weights that were probed, as in the record of the run.
        seed: also of the images looked at for `attention`.
        weights: the kernels, from the first layer to the last.
        square: width in pixels of the square that covers a part of a face.
        step: pixels from one place of it to the next.
        attention: by emotion.
        filters: the kernels of the first convolution, 3 x 3 each.
        environment: device, backend and versions.
    """

    run: Words
    weights_sha256: Words
    weights: Annotated[list[Weights], Field(min_length=2)]
    square: Annotated[int, Field(ge=1)]
    step: Annotated[int, Field(ge=1)]
    attention: dict[str, Attention]
    filters: list[Map]
    environment: Environment

    @model_validator(mode="after")
    def _complete(self) -> "Probe":
        if self.changes != each(CHANGES):
            raise ValueError("other changes than those of today's code")
        if tuple(self.attention) != EMOTIONS:
            raise ValueError("what decided the answers to each emotion")
        wide = len(places(self.square, self.step))
        maps = [one.occlusion for one in self.attention.values()]
        if any([len(row) for row in one] != [wide] * wide for one in maps):
            raise ValueError(f"occlusion maps of other sizes than {wide} x {wide}")
        return self

    @property
    def weakest(self) -> list[Changed]:
        """The weakest change of each kind."""
        return [one for one in self.changed if one.strength == CHANGES[one.kind].strengths[0]]

    @property
    def unsteadiness(self) -> float:
        """The mean over the kinds of the share of answers that the weakest change turned."""
        return float(np.mean([self.flips(one) for one in self.weakest]))

    @property
    def weight_size(self) -> float:
        """The root mean square of all kernels' values."""
        squares = sum(one.end**2 for one in self.weights)
        return float(np.sqrt(squares / sum(one.values for one in self.weights)))


class Probed(NamedTuple):
    """A run with what was measured of its network."""

    record: Record
    probe: Probe


def read(records: Iterable[Record], folder: Path | None = None) -> list[Probed]:
    """Those of the runs that were probed, in their order.

    Raises:
        ValueError: a file is damaged, or of other weights than the run's.
    """
    beside = [(one, _file(one.run.id, folder)) for one in records]
    return [Probed(one, _read(one, path)) for one, path in beside if path.exists()]


def _file(run: str, folder: Path | None) -> Path:
    return (folder or FOLDER) / f"{run}.json"


def _read(record: Record, path: Path) -> Probe:
    run = record.run
    remedy = f"Restore it from git, or run {COMMAND} {run.id}."
    with storage.expecting(f"what was measured of run {run.id}", path, remedy):
        found = Probe.model_validate_json(storage.unsealed(path))
        if (found.run, found.weights_sha256) != (run.id, run.weights_sha256):
            raise ValueError("what was measured of other weights than the run's")
        return found


def command(probed: Iterable[Probed]) -> str:
    """What probes these runs again."""
    return " ".join([COMMAND, *(one.record.run.id for one in probed)])


def write(found: Probe, folder: Path | None = None) -> None:
    """Write what was measured of a run, whole or not at all."""
    path = _file(found.run, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.write_whole(path, storage.sealed(found.model_dump_json()))
