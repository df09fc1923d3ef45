"""What a network is measured against: always one answer, a linear classifier on pixels, people.

Reads a dataset; writes and reads book/baselines/linear.json and linear.npz, and reads human.yml.
Used as `python -m ferutils.baselines`, with the dataset's place in FER2013.
"""

import hashlib
import importlib.metadata
import io
import os
import platform
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ferutils import data, paths, provenance, records
from ferutils.data import EMOTIONS, PIXELS, Dataset, Split
from ferutils.records import HELD_OUT, DatasetNote, Predictions, Record, to_float16

FOLDER = paths.BOOK / "baselines"
LINEAR = "linear classifier"
# scikit-learn's defaults, but for the iterations: its 100 stop before the optimum.
SETTINGS = {"solver": "lbfgs", "tol": 1e-4, "max_iter": 1000}
# Inverse strengths of the penalty. scikit-learn's default, 1, lets so many pixels overfit that the
# classifier is worse than it need be.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2)
HELD_BACK = 0.1  # share of Training on which the strength is chosen
LIBRARIES = ("numpy", "scikit-learn", "scipy")


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


def fit(dataset: Dataset) -> Linear:
    """Fit a multinomial logistic regression on the pixels of Training, and let it answer.

    Every pixel is scaled to mean 0 and deviation 1 over Training, without which the solver needs
    many more iterations. The strength of the penalty is the one of `STRENGTHS` that is most
    accurate on a part of Training held back, class shares kept; it is then fitted to all of
    Training. The held-out splits are seen once, to answer.
    """
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(**SETTINGS)),
        {"logisticregression__C": STRENGTHS},
        cv=StratifiedShuffleSplit(1, test_size=HELD_BACK, random_state=0),
    )
    training = dataset.splits["Training"]
    search.fit(_pixels(training), training.labels)
    classifier = search.best_estimator_
    iterations = int(classifier[-1].n_iter_[0])
    description = Description(
        settings=SETTINGS | {"C": classifier[-1].C},
        tried=dict(zip(map(str, STRENGTHS), search.cv_results_["mean_test_score"].round(4))),
        dataset=records.note(dataset),
        iterations=iterations,
        converged=iterations < SETTINGS["max_iter"],
        seconds=round(search.refit_time_, 1),
        device=provenance.processor(),
        versions=_versions(),
    )
    return Linear(
        description, {name: _answer(classifier, dataset.splits[name]) for name in HELD_OUT}
    )


def _pixels(split: Split) -> np.ndarray:
    """Pixels in a row per image, float32 (n, 2304), 0..1."""
    return split.images.reshape(-1, PIXELS).astype(np.float32) / 255


def _answer(classifier: Pipeline, split: Split) -> Predictions:
    logarithms = classifier.predict_log_proba(_pixels(split))
    return Predictions(split.labels, to_float16(logarithms).astype(np.float32))


def _versions() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version()} | versions


def write(linear: Linear, folder: Path = FOLDER) -> None:
    """Write the answers of the linear classifier and, last, its description, each atomically."""
    arrays = {}
    for split, one in linear.predictions.items():
        arrays[f"{split}_labels"] = one.labels.astype(np.uint8)
        arrays[f"{split}_log_probabilities"] = to_float16(one.log_probabilities)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    checksum = hashlib.sha256(buffer.getvalue()).hexdigest()
    description = linear.description.model_copy(update={"checksum": checksum})
    folder.mkdir(parents=True, exist_ok=True)
    paths.write_whole(folder / "linear.npz", buffer.getvalue())
    paths.write_whole(
        folder / "linear.json", description.model_dump_json(indent=2).encode() + b"\n"
    )


def read(folder: Path = FOLDER) -> Linear:
    """The recorded linear classifier.

    Raises:
        ValueError: there is none, it is damaged, or it was fitted to another dataset.
    """
    try:
        description = Description.model_validate_json((folder / "linear.json").read_bytes())
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
    if description.dataset.fingerprints != data.published_fingerprints():
        raise ValueError("another dataset than the published one")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {
            split: Predictions(
                arrays[f"{split}_labels"],
                arrays[f"{split}_log_probabilities"].astype(np.float32),
            )
            for split in HELD_OUT
        }


def human(path: Path = FOLDER / "human.yml") -> Human:
    """What people reach on FER-2013, as published.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return Human.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ValueError(
            f"Expected accuracy, margin and source in {path.name}. Received: {error}. "
            "Restore it from git."
        ) from None


def main() -> None:
    """Fit the linear classifier to the published FER-2013 and record its answers."""
    try:
        dataset = data.load_published(os.environ.get("FER2013"), paths.cache() / "datasets")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(
        "Fitting a linear classifier to all pixels of Training (about ten minutes) ...", flush=True
    )
    write(fit(dataset))


if __name__ == "__main__":
    main()
