"""What each Keras backend makes of the same weights and the same images, step by step.

Writes and reads book/first_steps.json.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ferutils import paths, storage
from ferutils.records.recipes import Recipe
from ferutils.records.runs import Part, Words

FILE = paths.BOOK / "first_steps.json"
FIRST = "tensorflow"  # what the others are compared with
ROUNDED = "rounded"  # the first backend once more, its weights changed by one rounding error

Share = Annotated[float, Field(ge=0)]


class Steps(Part):
    """The first steps of one network under one backend.

    Distances are Euclidean norms over all tensors together, as shares of the first backend's.

    Attributes:
        losses: mean cross-entropy in nats of the batch before each step, in training mode.
        gradient: distance of the first gradient.
        update: distance of what Adam's first step adds to the weights.
        statistics: distance of the moving means and variances after it; 0 where there are none.
        drawn: the least and the greatest standard deviation of a kernel as Keras draws it under
            this backend, as a share of Glorot's.
    """

    losses: Annotated[list[Share], Field(min_length=1)]
    gradient: Share
    update: Share
    statistics: Share
    drawn: tuple[Share, Share]


class Measured(Part):
    """What was measured, of what.

    Attributes:
        recipes: of each network, by model; without dropout.
        images: how many faces the batch has; drawn ones.
        faces: SHA-256 of them.
        networks: by model, then by backend, ROUNDED among them.
        versions: of each backend.
        device: the processor.
    """

    recipes: dict[str, Recipe]
    images: int
    faces: str
    networks: dict[str, dict[str, Steps]]
    versions: dict[str, Words]
    device: Words


def read(path: Path = FILE) -> Measured:
    """What was measured.

    Raises:
        ValueError: there is none, or it is damaged.
    """
    remedy = "Restore it from git, or run make backends FER2013=PATH."
    with storage.expecting("the first steps under each backend", path, remedy):
        return Measured.model_validate_json(storage.unsealed(path))


def write(found: Measured, path: Path = FILE) -> None:
    """Write it, whole or not at all."""
    storage.write_whole(path, storage.sealed(found.model_dump_json(indent=2)))
