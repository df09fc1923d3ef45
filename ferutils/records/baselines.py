"""What a network is measured against: always one answer, a linear classifier on pixels, people.

Writes and reads book/baselines/linear.json and linear.npz, and reads human.yml.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ferutils import paths, storage
from ferutils.dataset import fer2013
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import runs
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import DatasetNote, Predictions, Record

FOLDER = paths.BOOK / "baselines"
LINEAR = "linear classifier"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Human(_Part):
    """What people reach, as published; the content of `human.yml`."""

    accuracy: float  # share of images, 0..1
    margin: float  # what stands behind the ± in the source
    source: str


class Description(_Part):
    """How the linear classifier came about; the content of `linear.json`."""

    settings: dict[str, float | int | str]  # of scikit-learn's LogisticRegression
    tried: dict[str, float]  # accuracy on the part of Training held back, by strength C
    dataset: DatasetNote
    iterations: int
    converged: bool  # whether the solver stopped by itself, before the most iterations allowed
    seconds: float  # of the last fit, to all of Training
    device: str
    versions: dict[str, str]
    checksum: str = ""  # SHA-256 of linear.npz


@dataclass(frozen=True)
class Linear:
    """The linear classifier: how it came about, and its answers by held-out split."""

    description: Description
    predictions: dict[str, Predictions]


def beside(record: Record, linear: Linear) -> dict[str, dict[str, Predictions]]:
    """The baselines of a run by name, each with its answers by held-out split.

    The linear classifier is left out where the run saw other images than it did.
    """
    counts = record.run.dataset.counts["Training"]
    answers = record.predictions
    always = {split: most_frequent(one.labels, counts) for split, one in answers.items()}
    found = {f"always “{EMOTIONS[int(np.argmax(counts))]}”": always}
    same_dataset = record.run.dataset.fingerprints == linear.description.dataset.fingerprints
    if same_dataset and record.recipe.evaluation_images is None:
        found[LINEAR] = linear.predictions
    return found


def most_frequent(labels: np.ndarray, counts: list[int]) -> Predictions:
    """Always the most frequent emotion of Training, with the shares of Training as probabilities.

    Args:
        labels: uint8 (n,), the truth, 0..6.
        counts: images of Training per emotion, in label order.
    """
    shares = np.log(np.array(counts) / sum(counts)).astype(np.float32)
    return Predictions(labels, np.tile(shares, (len(labels), 1)))


def write(linear: Linear, folder: Path = FOLDER) -> None:
    """Write the answers of the linear classifier and, last, its description, each atomically."""
    content = runs.pack(linear.predictions)
    checksum = hashlib.sha256(content).hexdigest()
    description = linear.description.model_copy(update={"checksum": checksum})
    folder.mkdir(parents=True, exist_ok=True)
    storage.write_whole(folder / "linear.npz", content)
    storage.write_whole(
        folder / "linear.json", storage.sealed(description.model_dump_json(indent=2))
    )


def read(folder: Path = FOLDER) -> Linear:
    """The recorded linear classifier.

    Raises:
        ValueError: there is none, it is damaged, or it was fitted to another dataset.
    """
    try:
        description = Description.model_validate_json(storage.unsealed(folder / "linear.json"))
        content = (folder / "linear.npz").read_bytes()
        return Linear(description, _checked(content, description))
    except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            "Expected the linear classifier's answers on FER-2013 in linear.json and linear.npz. "
            f"Received: {error}. Restore both from git, or run make baselines FER2013=PATH."
        ) from None


def _checked(content: bytes, description: Description) -> dict[str, Predictions]:
    """The answers, where they are those described, on the published dataset."""
    if hashlib.sha256(content).hexdigest() != description.checksum:
        raise ValueError("a linear.npz whose SHA-256 is not the one in linear.json")
    if description.dataset.fingerprints != fer2013.published_fingerprints():
        raise ValueError("another dataset than the published one")
    images = {split: sum(description.dataset.counts[split]) for split in HELD_OUT}
    return runs.unpack(content, images)[None]


def human(path: Path = FOLDER / "human.yml") -> Human:
    """What people reach on FER-2013, as published.

    Raises:
        ValueError: the file is damaged.
    """
    with storage.expecting("accuracy, margin and source", path, "Restore it from git."):
        return Human.model_validate(storage.read_yaml(path))
